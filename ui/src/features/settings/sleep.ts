import { counted } from "$lib/format";

const OFFERED = [5, 15, 30, 60];

/** What can be chosen, with what is chosen now among it: the command takes any number of minutes. */
export function sleepOptions(now: number | null): { value: string; label: string }[] {
  const minutes = [...new Set([...OFFERED, ...(now === null ? [] : [now])])].sort((left, right) => left - right);
  return [
    ...minutes.map((each) => ({ value: String(each), label: `After ${counted(each, "minute")}` })),
    { value: "never", label: "Never" },
  ];
}
