// @ts-check
// The names and the size of the sheets, shared by the page and the server.

/** The names of the sheets. */
export const sheetNames = ['Plan', 'Budget', 'Q3', 'Team']
export const rowCount = 200
export const colCount = 26
/** The maximum number of characters in a cell. */
export const longestText = 200
/** The reactions to choose from, and their names. */
export const emojis = { '👍': 'Thumbs up', '🎉': 'Hooray', '❤️': 'Heart', '😂': 'Laughing', '👀': 'Eyes', '🤔': 'Hmm' }
