// Dialogs that open from anywhere: a button on a page, a shortcut, another dialog. One at a time.

import type { Action, MadeOf, Reclaimable, RunSpec } from "$lib/api";

export type OpenDialog =
  | { type: "run"; image: string | null; spec: RunSpec | null; edited: MadeOf | null }
  | { type: "pull"; reference: string | null }
  | { type: "reclaim"; only: keyof Reclaimable | null }
  | { type: "shortcuts" };

/** `null`: any registry. `then` goes on with what it was needed for. */
type Remedy = { registry: string | null; then: () => void };

class Dialogs {
  open = $state.raw<OpenDialog | null>(null);
  /** Over whatever else is open, which goes on when this is done. */
  signingIn = $state.raw<Remedy | null>(null);

  /** The same for a registry without encryption. */
  allowing = $state.raw<Remedy | null>(null);

  /** The same for one whose certificate nobody knows. */
  trusting = $state.raw<Remedy | null>(null);

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

  signIn(registry: string | null = null, then: () => void = () => {}): void {
    this.signingIn = { registry, then };
  }

  allowInsecure(registry: string | null = null, then: () => void = () => {}): void {
    this.allowing = { registry, then };
  }

  trustRegistry(registry: string | null = null, then: () => void = () => {}): void {
    this.trusting = { registry, then };
  }

  /** None of them is open any more. */
  leave(): void {
    this.signingIn = null;
    this.allowing = null;
    this.trusting = null;
  }

  /** It was done, not left. */
  remedied(): void {
    const remedy = this.signingIn ?? this.allowing ?? this.trusting;
    this.leave();
    remedy?.then();
  }

  close(): void {
    this.open = null;
  }
}

export const dialogs = new Dialogs();

/** Opens what remedies a problem, where that is a dialog of its own, and goes on with `then`. */
export function dialogFor(action: Action | null, then: () => void): (() => void) | null {
  switch (action?.type) {
    case "signIn":
      return () => dialogs.signIn(action.registry, then);
    case "allowInsecure":
      return () => dialogs.allowInsecure(action.registry, then);
    case "trustRegistry":
      return () => dialogs.trustRegistry(action.registry, then);
    case "startEngine":
    case "usePort":
    case "retry":
    case "force":
    case "runInTerminal":
    case undefined:
      return null;
  }
}
