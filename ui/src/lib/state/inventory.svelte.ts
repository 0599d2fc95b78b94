// The lists that more than one page shows: the pages themselves, the counts in the sidebar, Home.

import { call, type ContainerSummary, type ImageSummary } from "$lib/api";
import { Live } from "./live.svelte";

export const containers = new Live<ContainerSummary[]>(["containers", "engine"], () =>
  call("container.list", { all: true }),
);

export const images = new Live<ImageSummary[]>(["images", "engine"], () => call("image.list"));
