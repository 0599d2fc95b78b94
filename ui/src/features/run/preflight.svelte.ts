// What is known of a run before it is tried, asked shortly after what it depends on has changed.

import { call, type PreflightCheck, type RunSpec } from "$lib/api";
import { questionOfSpec } from "./preflight";

const SETTLE_MILLIS = 300;

export class PreflightAnswer {
  /** Of the last question that was answered: it stays until there is a new answer, so that nothing flickers. */
  checks = $state.raw<PreflightCheck[]>([]);
  waiting = $state(false);
  #timer = 0;
  #asked = "";

  ask(spec: RunSpec): void {
    const question = questionOfSpec(spec);
    if (question === this.#asked) return;
    this.#asked = question;
    window.clearTimeout(this.#timer);
    if (spec.image === "") {
      this.checks = [];
      this.waiting = false;
      return;
    }
    this.waiting = true;
    this.#timer = window.setTimeout(async () => {
      const checks = await call("container.preflight", { spec }).then(
        (answer) => answer.checks,
        // Not knowing keeps nobody from trying.
        () => [],
      );
      if (question !== this.#asked) return;
      this.checks = checks;
      this.waiting = false;
    }, SETTLE_MILLIS);
  }

  /** Something has changed on this computer. */
  again(spec: RunSpec): void {
    this.#asked = "";
    this.ask(spec);
  }

  close(): void {
    window.clearTimeout(this.#timer);
  }
}
