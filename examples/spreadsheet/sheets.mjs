// @ts-check
// The size of the sheets, which the page and the server agree on.

/** The names of the sheets. */
export const sheetNames = ['Plan', 'Budget', 'Q3', 'Team']
export const rowCount = 200
export const colCount = 26
/** The most characters that a cell may have. */
export const longestText = 200
/** The reactions to choose from, and what they are called. */
export const emojis = { '👍': 'Thumbs up', '🎉': 'Hooray', '❤️': 'Heart', '😂': 'Laughing', '👀': 'Eyes', '🤔': 'Hmm' }
