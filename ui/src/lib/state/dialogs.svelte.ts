// Dialogs that open from anywhere: a button on a page, a shortcut, another dialog. One at a time.

export type OpenDialog =
  { type: "run"; image: string | null } | { type: "pull"; reference: string | null } | { type: "shortcuts" };

class Dialogs {
  open = $state.raw<OpenDialog | null>(null);

  run(image: string | null = null): void {
    this.open = { type: "run", image };
  }

  pull(reference: string | null = null): void {
    this.open = { type: "pull", reference };
  }

  shortcuts(): void {
    this.open = { type: "shortcuts" };
  }

  close(): void {
    this.open = null;
  }
}

export const dialogs = new Dialogs();
