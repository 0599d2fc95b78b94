import { call, type About } from "$lib/api";

/** Asked once: it does not change while the app runs. */
export const about = $state<{ value: About | null }>({ value: null });

export async function askAbout(): Promise<void> {
  about.value = await call("app.about");
}
