/** The stylesheet of the kit, which exports nothing. */
declare module 'hereabouts/react/ui.css' {}
