/** The stylesheet `hereabouts/react/ui.css` exports nothing: `import "hereabouts/react/ui.css"`. */
export {}
