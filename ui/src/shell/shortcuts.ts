// What the sheet says. Only what works: a key is listed here when its page handles it.

export type Shortcut = { keys: string[]; does: string };

export const SHORTCUTS: { title: string; keys: Shortcut[] }[] = [
  {
    title: "Everywhere",
    keys: [
      { keys: ["Ctrl 1"], does: "Home" },
      { keys: ["Ctrl 2"], does: "Containers" },
      { keys: ["Ctrl 3"], does: "Images" },
      { keys: ["Ctrl 8"], does: "Registries" },
      { keys: ["Ctrl ,"], does: "Settings" },
      { keys: ["Ctrl N"], does: "Run an image" },
      { keys: ["Ctrl H"], does: "What I clicked" },
      { keys: ["Ctrl Shift P"], does: "Pull an image" },
      { keys: ["/", "Ctrl F"], does: "Search this page" },
      { keys: ["Ctrl Z"], does: "Undo, while the message is shown" },
      { keys: ["F6", "Shift F6"], does: "Next, previous part" },
      { keys: ["?"], does: "This list" },
      { keys: ["Esc"], does: "Close, or leave the search" },
    ],
  },
  {
    title: "In lists",
    keys: [
      { keys: ["↑", "↓", "Home", "End"], does: "Move" },
      { keys: ["←", "→"], does: "Fold, unfold a group" },
      { keys: ["Enter"], does: "Open" },
      { keys: ["Space"], does: "Select" },
      { keys: ["Shift ↑", "Shift ↓"], does: "Select more" },
      { keys: ["Ctrl A"], does: "Select all" },
      { keys: ["S"], does: "Start or stop" },
      { keys: ["R"], does: "Restart; run an image" },
      { keys: ["T"], does: "Terminal" },
      { keys: ["L"], does: "Logs" },
      { keys: ["O"], does: "Open in the browser" },
      { keys: ["Ctrl C"], does: "Copy the docker run line" },
      { keys: ["Del"], does: "Remove, asks first" },
      { keys: ["Shift F10"], does: "More for this row" },
    ],
  },
  {
    title: "In logs",
    keys: [
      { keys: ["G", "Shift G"], does: "First, last line" },
      { keys: ["F"], does: "Follow" },
      { keys: ["W"], does: "Wrap lines" },
      { keys: ["N", "Shift N"], does: "Next, previous match" },
    ],
  },
  {
    title: "In a container's terminal",
    keys: [
      { keys: ["Ctrl +", "Ctrl -", "Ctrl 0"], does: "Text size" },
      { keys: ["Ctrl C"], does: "Copy what is selected, else interrupt" },
      { keys: ["Ctrl V"], does: "Paste" },
      { keys: ["Esc Esc"], does: "Leave the terminal" },
      { keys: ["Ctrl Tab"], does: "Next tab of the container" },
    ],
  },
];
