// Dialogs that open from anywhere: a button on a page, a shortcut, another dialog. One at a time.

import type { Action, MadeOf, Reclaimable, RunSpec } from "$lib/api";

export type OpenDialog =
  | { type: "run"; image: string | null; spec: RunSpec | null; edited: MadeOf | null }
  | { type: "pull"; reference: string | null }
  | { type: "reclaim"; only: keyof Reclaimable | null }
  | { type: "shortcuts" };

class Dialogs {
  open = $state.raw<OpenDialog | null>(null);
  /** Over whatever else is open, which goes on when this is done. `null` in it: any registry. */
  signingIn = $state.raw<{ registry: string | null } | null>(null);

  /** The same for a registry without encryption. */
  allowing = $state.raw<{ registry: string | null } | null>(null);

  run(image: string | null = null): void {
    this.open = { type: "run", image, spec: null, edited: null };
  }

  /** The run form, filled in. */
  runLike(spec: RunSpec): void {
    this.open = { type: "run", image: spec.image, spec, edited: null };
  }

  /** The run form of a container that is to be made anew, with what is to be different. */
  edit(made: MadeOf, spec: RunSpec = made.spec): void {
    this.open = { type: "run", image: spec.image, spec, edited: made };
  }

  pull(reference: string | null = null): void {
    this.open = { type: "pull", reference };
  }

  /** What nobody uses, of one kind or of all. */
  reclaim(only: keyof Reclaimable | null = null): void {
    this.open = { type: "reclaim", only };
  }

  shortcuts(): void {
    this.open = { type: "shortcuts" };
  }

  signIn(registry: string | null = null): void {
    this.signingIn = { registry };
  }

  signedIn(): void {
    this.signingIn = null;
  }

  allowInsecure(registry: string | null = null): void {
    this.allowing = { registry };
  }

  allowed(): void {
    this.allowing = null;
  }

  close(): void {
    this.open = null;
  }
}

export const dialogs = new Dialogs();

/** Opens what remedies a problem, where that is a dialog of its own. */
export function dialogFor(action: Action | null): (() => void) | null {
  switch (action?.type) {
    case "signIn":
      return () => dialogs.signIn(action.registry);
    case "allowInsecure":
      return () => dialogs.allowInsecure(action.registry);
    case "startEngine":
    case "usePort":
    case "retry":
    case "force":
    case "runInTerminal":
    case undefined:
      return null;
  }
}
