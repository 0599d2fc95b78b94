/** What carries calls: the window's IPC, or HTTP and WebSocket when the UI runs in a browser. Chosen once. */
import { browserHost, browserTransport } from "./browser";
import { desktopHost, desktopTransport, inDesktop } from "./desktop";
import type { Message, Source } from "./stream";

export interface Transport {
  /** Rejects with a `ProblemError`. */
  call(name: string, params: unknown): Promise<unknown>;
  open<T>(name: string, params: unknown, receive: (message: Message<T>) => void): Source;
}

/**
 * Who draws the window's buttons: `drawn`, the toolbar does (minimize, maximize, close on the right); `overlay`, the
 * system lays its own over the toolbar's left end (macOS); `none`, there is nothing to draw.
 */
export type WindowFrame = "drawn" | "overlay" | "none";

export interface Host {
  readonly kind: "desktop" | "browser";
  readonly frame: WindowFrame;
  /** In the person's browser. Web addresses only. */
  openUrl(url: string): Promise<void>;
  copyText(text: string): Promise<void>;
  /** The window's controls do nothing in a browser. */
  minimize(): Promise<void>;
  toggleMaximize(): Promise<void>;
  close(): Promise<void>;
  startDragging(): Promise<void>;
  /**
   * Whoever closes the window is asked first, by the page where it can ask: it is given what closes it all the same.
   * A browser asks in its own words. The result ends it.
   */
  holdClose(ask: (leave: () => void) => void): () => void;
}

export const transport: Transport = inDesktop() ? desktopTransport() : browserTransport();
export const host: Host = inDesktop() ? desktopHost() : browserHost();
