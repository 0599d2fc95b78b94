// The line that would make a container again.

import { call, host, type ContainerSummary } from "$lib/api";
import { toasts } from "$lib/state/toasts.svelte";
import { nameThem } from "./rows";

/** Secrets are as hidden in it as in the run form. */
export async function copyRunLine(containers: readonly Pick<ContainerSummary, "id" | "name">[]): Promise<void> {
  try {
    const lines = await Promise.all(
      containers.map(async ({ id }) => {
        const { spec } = await call("container.made_of", { id, copy: false });
        return (await call("container.command", { spec, shell: "posix", secrets: false })).command.text;
      }),
    );
    await host.copyText(lines.join("\n"));
    toasts.show(`Copied the docker run ${lines.length === 1 ? "line" : "lines"} of ${nameThem(containers)}`);
  } catch (error) {
    toasts.problem(error);
  }
}
