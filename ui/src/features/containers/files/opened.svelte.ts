// The file that is open beside the list: its text as it is in the container, and as the person has changed it.

import { call, problemOf, type FileContent, type Problem } from "$lib/api";
import { announce } from "$lib/state/announce.svelte";

/** A page can go without anybody leaving it, like when the engine stops: what was not saved waits for its return. */
type Draft = { path: string; content: FileContent; text: string };
const drafts = new Map<string, Draft>();

export class OpenedFile {
  path = $state<string | null>(null);
  content = $state.raw<FileContent | null>(null);
  text = $state("");
  problem = $state.raw<Problem | null>(null);
  saving = $state(false);
  dirty = $derived(this.content?.text != null && this.content.text !== this.text);

  #container: string;

  constructor(container: string) {
    this.#container = container;
    const draft = drafts.get(container);
    if (!draft) return;
    drafts.delete(container);
    this.path = draft.path;
    this.content = draft.content;
    this.text = draft.text;
  }

  /** The page goes. */
  keep(): void {
    if (this.dirty && this.path !== null && this.content !== null) {
      drafts.set(this.#container, { path: this.path, content: this.content, text: this.text });
    }
  }

  async open(path: string): Promise<void> {
    this.path = path;
    this.content = null;
    this.problem = null;
    try {
      const found = await call("file.get", { container: this.#container, path });
      if (this.path !== path) return;
      this.content = found;
      this.text = found.text ?? "";
    } catch (error) {
      if (this.path === path) this.problem = problemOf(error);
    }
  }

  close(): void {
    this.path = null;
    this.content = null;
    this.problem = null;
  }

  /** `force`: over what somebody else has written meanwhile. */
  async save(force: boolean): Promise<void> {
    const before = this.content;
    if (!before) return;
    this.saving = true;
    this.problem = null;
    const wanted = this.text;
    const { path, modified } = before;
    try {
      const saved = await call("file.save", { container: this.#container, path, text: wanted, modified, force });
      // What was typed meanwhile stays; the editor is not made anew.
      Object.assign(before, saved);
      this.content = before;
      if (this.text === wanted) this.content = { ...saved };
      announce(`${saved.path} is saved`);
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.saving = false;
  }
}
