/** What the one polite live region says: "api is running". */
export const announcement = $state({ text: "" });

export function announce(text: string): void {
  announcement.text = text;
}
