// Which button is pointed at or reached by Tab, and the command that it stands for.

import type { Attachment } from "svelte/attachments";

/** Passing over a row of buttons shows nothing yet. */
const REST_MILLIS = 350;

class CommandTip {
  shown = $state.raw<{ label: string; command: string; button: HTMLElement } | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Beside a button while it has the pointer or the focus. */
  of(label: string, command: string): Attachment<HTMLElement> {
    return (button) => {
      const show = () => (this.shown = { label, command, button });
      const point = () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(show, REST_MILLIS);
      };
      const focus = () => {
        if (button.matches(":focus-visible")) show();
      };
      const hide = () => {
        clearTimeout(this.#timer);
        if (this.shown?.button === button) this.shown = null;
      };
      const listen = new AbortController();
      const { signal } = listen;
      button.addEventListener("pointerenter", point, { signal });
      button.addEventListener("pointerleave", hide, { signal });
      button.addEventListener("focus", focus, { signal });
      button.addEventListener("blur", hide, { signal });
      button.addEventListener("click", hide, { signal });
      return () => {
        listen.abort();
        hide();
      };
    };
  }
}

export const commandTip = new CommandTip();
