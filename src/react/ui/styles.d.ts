/* oxlint-disable unicorn/no-empty-file -- the stylesheet `hereabouts/react/ui.css` exports nothing */
