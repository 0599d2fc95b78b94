// What this computer says of the ports in the form, asked shortly after each change.

import { call, type PortAnswer, type PortQuestion } from "$lib/api";
import { SvelteMap } from "svelte/reactivity";
import { questionKey } from "./portRows";

const SETTLE_MILLIS = 200;

export class PortAnswers {
  readonly byKey = new SvelteMap<string, PortAnswer>();
  #timer = 0;

  /** `own` is the container that makes room: its ports are free for what takes its place. */
  constructor(private readonly own: string | null = null) {}

  /** Asks what has no answer yet. */
  ask(questions: PortQuestion[]): void {
    window.clearTimeout(this.#timer);
    const open = questions.filter((question) => !this.byKey.has(questionKey(question)));
    if (open.length === 0) return;
    this.#timer = window.setTimeout(() => open.forEach((question) => void this.check(question)), SETTLE_MILLIS);
  }

  async check(question: PortQuestion): Promise<PortAnswer> {
    const answer = await call("port.check", question).catch(
      // Not knowing keeps nobody from trying: the engine has the last word.
      (): PortAnswer => ({ free: true, holder: null, container: null, sentence: "", nextFree: null }),
    );
    const known = !answer.free && answer.container !== null && answer.container === this.own
      ? { ...answer, free: true, sentence: `${question.port} is its own already` }
      : answer;
    this.byKey.set(questionKey(question), known);
    return known;
  }

  /** Something has changed on this computer: every answer is old. */
  forget(): void {
    this.byKey.clear();
  }

  close(): void {
    window.clearTimeout(this.#timer);
  }
}
