import { call, problemOf, type Problem, type Settings, type TextSize, type Theme } from "$lib/api";
import { counted } from "../format";
import { onChanged } from "./events.svelte";

class SettingsStore {
  value = $state.raw<Settings | null>(null);
  problem = $state.raw<Problem | null>(null);
  #changed = Promise.resolve();

  constructor() {
    onChanged(["settings"], () => void this.refresh());
  }

  async refresh(): Promise<void> {
    try {
      this.#take(await call("settings.get"));
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  /** One after the other: each is made of what the one before has left. */
  change(change: (now: Settings) => Partial<Settings>): Promise<void> {
    this.#changed = this.#changed.then(() => this.#apply(change));
    return this.#changed;
  }

  async #apply(change: (now: Settings) => Partial<Settings>): Promise<void> {
    try {
      // Onto what is there now: choosing an engine changes the settings too.
      const now = await call("settings.get");
      this.#take(await call("settings.set", { ...now, ...change(now) }));
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  /** How many days the trash keeps things, in words. */
  get trashTime(): string {
    return counted(this.trashDays, "day");
  }

  get trashDays(): number {
    return this.value?.trash.days ?? 7;
  }

  #take(settings: Settings): void {
    this.value = settings;
    this.problem = null;
    applyTheme(settings.theme);
    applyTextSize(settings.textSize);
  }
}

const PERCENT: Record<TextSize, number> = { small: 90, normal: 100, large: 115, largest: 130 };

/** Every size of text is in rem. */
function applyTextSize(size: TextSize): void {
  document.documentElement.style.fontSize = size === "normal" ? "" : `${PERCENT[size]}%`;
}

/** "system" leaves the choice to the media query in the tokens. */
function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export const settings = new SettingsStore();
