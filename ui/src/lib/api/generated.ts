// Made from crates/app/src/table.rs by `cargo xtask types`. Changes here are lost.

export type About = { version: string, platform: Platform, 
/**
 * Where Wherry keeps everything it stores.
 */
home: string, };

export type Accelerator = "auto" | "emulation";

export type Action = { "type": "startEngine" } | { "type": "usePort", taken: number, instead: number, } | { "type": "retry" } | { "type": "signIn", registry: string, } | { "type": "force" } | { "type": "runInTerminal", command: string, };

export type BackupContainer = { name: string, image: string, running: boolean, member: string, };

export type BackupImage = { id: string, references: Array<string>, size: number, architecture: string, 
/**
 * Images with common layers are in one.
 */
member: string, };

export type BackupMake = { file: string, 
/**
 * Pause containers while their volumes are read, so that what is saved was there at one moment.
 */
pause: boolean, };

/**
 * What a backup holds. It is its own table of contents.
 */
export type BackupManifest = { format: number, 
/**
 * The version of Wherry that made it.
 */
wherry: string, 
/**
 * Unix milliseconds.
 */
madeMillis: number, 
/**
 * The processor of the engine, in its own word: `x86_64`.
 */
architecture: string, engine: string, 
/**
 * Bytes of volumes and images before compression.
 */
contentBytes: number, settings: boolean, networks: Array<BackupNetwork>, images: Array<BackupImage>, volumes: Array<BackupVolume>, containers: Array<BackupContainer>, 
/**
 * What the person should know of it: things that could not be had whole.
 */
notes: Array<string>, 
/**
 * All members before the manifest, in order.
 */
members: Array<BackupMember>, };

export type BackupMember = { name: string, size: number, 
/**
 * Of its bytes in the file, in hexadecimal digits.
 */
sha256: string, };

export type BackupNetwork = { name: string, member: string, };

/**
 * A backup by the path of its file.
 */
export type BackupRef = { file: string, };

export type BackupRestore = { file: string, existing: Existing, 
/**
 * Start the containers that were running.
 */
start: boolean, };

export type BackupSuggestion = { 
/**
 * A path for the next backup, in the person's own folder.
 */
file: string, };

export type BackupVolume = { name: string, driver: string, labels: { [key in string]: string }, options: { [key in string]: string }, 
/**
 * `None` for one whose content is elsewhere: on a server, in a folder of the host.
 */
member: string | null, contentBytes: number, };

/**
 * A support bundle that was written.
 */
export type Bundle = { path: string, bytes: number, files: Array<BundleFile>, };

export type BundleFile = { name: string, bytes: number, 
/**
 * How often a secret was replaced in it.
 */
hidden: number, };

export type Check = { 
/**
 * For programs; stays the same whatever came of it.
 */
name: string, group: CheckGroup, 
/**
 * What was found, in some words: "The data disk is clean".
 */
title: string, verdict: Verdict, 
/**
 * A figure or a word beside it: "41.2 GB free".
 */
detail: string | null, 
/**
 * Why it is not well, or why it was not looked at.
 */
why: string | null, 
/**
 * What the person can do, in a sentence.
 */
advice: string | null, fix: Fix | null, };

export type CheckGroup = "engine" | "network" | "computer";

/**
 * A code exists only if the UI acts on it.
 */
export type Code = "engineUnreachable" | "machineFailed" | "portTaken" | "nameTaken" | "imageNotFound" | "notFound" | "inUse" | "invalid" | "noSpace" | "exists" | "unauthorized" | "forbidden" | "rateLimited" | "registryTrouble" | "cancelled" | "panic" | "other";

/**
 * A shell line, in parts that can be pointed at.
 */
export type CommandLine = { 
/**
 * Ready to paste into a POSIX shell, on one line.
 */
text: string, parts: Array<CommandPart>, };

/**
 * Words that belong together: `-p 8080:80`, `--rm`, the image.
 */
export type CommandPart = { kind: CommandPartKind, 
/**
 * Quoted for a POSIX shell. For a flag with a value: the flag, a blank, the value.
 */
text: string, 
/**
 * What it does, in one sentence for a beginner; absent where the words speak for themselves.
 */
explanation: string | null, };

export type CommandPartKind = "program" | "flag" | "image" | "argument";

export type Connection = { "type": "connecting" } | { "type": "away", reason: string, } | { "type": "connected", info: EngineInfo, };

/**
 * The last hour of one container. Samples are ten seconds apart; where it did not run there are none.
 */
export type ContainerHistory = { samples: Array<Sample>, 
/**
 * Of a container that runs.
 */
totals: Totals | null, };

/**
 * One container's hour in a line.
 */
export type ContainerHour = { id: string, 
/**
 * While it runs.
 */
now: Sample | null, 
/**
 * Over the time in which it ran: 100 is one core.
 */
cpuMean: number, memoryMost: number, 
/**
 * Bytes that went in and out in this hour, over the network and to and from disks.
 */
network: number, disk: number, };

export type ContainerList = { 
/**
 * Stopped ones too.
 */
all: boolean, };

/**
 * One container at one moment.
 */
export type ContainerLoad = { id: string, sample: Sample, totals: Totals, };

/**
 * A container by id or name.
 */
export type ContainerRef = { id: string, };

export type ContainerRemove = { id: string, 
/**
 * Although it runs.
 */
force: boolean, };

export type ContainerState = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

/**
 * One row of the container list.
 */
export type ContainerSummary = { id: string, name: string, 
/**
 * The reference it was created from, as the person wrote it.
 */
image: string, imageId: string, command: string, state: ContainerState, 
/**
 * The engine's own words: "Up 3 hours (healthy)".
 */
status: string, 
/**
 * Known once it has stopped.
 */
exitCode: number | null, health: Health | null, ports: Array<Port>, created: number, labels: { [key in string]: string }, 
/**
 * The compose project it belongs to.
 */
project: string | null, networks: Array<string>, };

/**
 * What containers cost this computer now.
 */
export type Cost = { memory: number, memoryTotal: number, disk: number, diskTotal: number | null, 
/**
 * Of the whole computer or machine: 100 is every core busy.
 */
cpuPercent: number, cpus: number, diskBy: DiskUsage, };

export type DiagnoseRequest = { 
/**
 * Where to write it; `None` is a new file in the person's downloads.
 */
path: string | null, registry: string | null, };

/**
 * How full the machine's disk is.
 */
export type DiskFill = "roomy" | "nearlyFull" | "full";

/**
 * What the engine's disk holds.
 */
export type DiskUsage = { images: number, containers: number, volumes: number, buildCache: number, };

export type DockerOverride = { variable: string, value: string, };

/**
 * What the docker command in the person's terminal does.
 */
export type DockerSetup = { 
/**
 * Where it is, when it is installed.
 */
program: string | null, 
/**
 * Its configuration, which need not be there.
 */
config: string, context: string, 
/**
 * Where it connects to; `None` when its context is not there.
 */
address: string | null, 
/**
 * That is Wherry's own machine.
 */
ours: boolean, 
/**
 * The variable that wins over the context.
 */
overridden: DockerOverride | null, 
/**
 * Programs that are to keep logins and are not installed.
 */
missingHelpers: Array<MissingHelper>, 
/**
 * `/var/run/docker.sock`
 */
systemSocket: SystemSocketState, 
/**
 * There is something to take back.
 */
changed: boolean, };

export type DoctorRequest = { 
/**
 * Which registry to try; `None` is Docker Hub.
 */
registry: string | null, };

/**
 * An engine that could be used.
 */
export type EngineCandidate = { origin: EngineOrigin, address: string, info: EngineInfo | null, 
/**
 * Why it does not answer, when it does not.
 */
unreachable: string | null, };

/**
 * Which engine the person wants.
 */
export type EngineChoice = { "type": "auto" } | { "type": "machine" } | { "type": "address", address: string, };

/**
 * The last hour of everything.
 */
export type EngineHistory = { 
/**
 * Ten seconds apart. Where the engine did not answer, or slept, there are none.
 */
total: Array<Sample>, 
/**
 * Every container that ran in this hour.
 */
containers: Array<ContainerHour>, };

/**
 * What the engine says of itself.
 */
export type EngineInfo = { 
/**
 * "Docker", "Podman".
 */
product: string, version: string, apiVersion: string, operatingSystem: string, kernel: string, architecture: string, cpus: number, memory: number, };

/**
 * All running containers at one moment.
 */
export type EngineLoad = { total: Sample, containers: Array<ContainerLoad>, };

/**
 * Where an engine was found.
 */
export type EngineOrigin = { "type": "environment" } | { "type": "context", name: string, } | { "type": "system" } | { "type": "rootless" } | { "type": "podman" } | { "type": "machine" } | { "type": "chosen" };

/**
 * The engine Wherry works with now.
 */
export type EngineStatus = { choice: EngineChoice, 
/**
 * Where the engine in use was found; `None` when there is none at all.
 */
origin: EngineOrigin | null, 
/**
 * The address in use, as `DOCKER_HOST` writes it.
 */
address: string | null, connection: Connection, 
/**
 * Of Wherry's own machine, whether it is the engine in use or not.
 */
machine: MachineStatus, 
/**
 * Why Wherry's own machine could not start on this computer, when it could not.
 */
machineUnavailable: Failure | null, };

export type Event = { "type": "changed", topic: Topic, } | { "type": "machine", status: MachineStatus, } | { "type": "task", task: Task, } | { "type": "notice", problem: Problem, };

/**
 * Everything that was looked at, in the order in which it is to be read.
 */
export type Examination = { checks: Array<Check>, millis: number, };

/**
 * What happens to things that are there already, by their names.
 */
export type Existing = "refuse" | "keep" | "replace";

export type ExposedPort = { port: number, protocol: Protocol, };

/**
 * Why a machine could not start or did not go on. `code` is what programs decide by; the texts are for people.
 */
export type Failure = { code: FailureCode, 
/**
 * The step that failed, when it was a start that failed.
 */
step: StartStep | null, 
/**
 * What happened, in one sentence.
 */
message: string, 
/**
 * Why, outermost first.
 */
causes: Array<string>, 
/**
 * What to do.
 */
hint: string, 
/**
 * The last lines of the machine's console, when they say more.
 */
console: Array<string>, };

export type FailureCode = "qemuMissing" | "imageMissing" | "imageDamaged" | "noDiskSpace" | "dataDiskCorrupt" | "specRefused" | "noAnswer" | "died" | "engineFailed" | "cannotSuspend" | "folderRefused" | "io";

/**
 * A remedy: a button in the window, a line to type in a terminal.
 */
export type Fix = { action: FixAction, label: string, command: string, };

export type FixAction = "startEngine" | "restartEngine" | "selectContext" | "mendCredentials" | "freeSpace" | "runInTerminal";

/**
 * A port of a container on this host.
 */
export type Forward = { host: string, container: string, protocol: string, 
/**
 * The id of the container that has this port on the machine's own network, where the engine lists none.
 */
owner: string | null, 
/**
 * Why it does not work now, when it does not. It does as soon as the port is free.
 */
dead: string | null, };

/**
 * What a registry is like.
 */
export type Greeting = { wants: Wants, 
/**
 * Over TLS.
 */
encrypted: boolean, millis: number, };

export type Happened = { "type": "started" } | { "type": "ended", exitCode: number, } | { "type": "outOfMemory" } | { "type": "paused" } | { "type": "unpaused" } | { "type": "renamed", before: string, } | { "type": "removed" } | { "type": "healthy" } | { "type": "unhealthy" } | { "type": "imagePulled" } | { "type": "imagePushed" } | { "type": "imageLoaded" } | { "type": "imageTagged" } | { "type": "imageRemoved" };

/**
 * One thing that happened.
 */
export type Happening = { 
/**
 * Milliseconds of Unix time.
 */
at: number, what: Happened, 
/**
 * Of the container or the image.
 */
id: string, 
/**
 * As people know it: a container's name, an image's reference.
 */
name: string, 
/**
 * The compose project of the container.
 */
project: string | null, };

export type Health = "starting" | "healthy" | "unhealthy";

export type HostPort = { 
/**
 * "0.0.0.0", "::" or one address.
 */
address: string, port: number, };

/**
 * How much room there is for the machine on this computer's own disk.
 */
export type HostRoom = "roomy" | "nearlyFull" | "standsStill";

/**
 * What an image says about how to run it: the run form is prefilled from this.
 */
export type ImageDetail = { id: string, references: Array<string>, size: number, created: number, architecture: string, os: string, exposedPorts: Array<ExposedPort>, environment: Array<Variable>, entrypoint: Array<string>, command: Array<string>, volumes: Array<string>, workingDirectory: string, user: string, };

/**
 * An image by reference or id.
 */
export type ImageRef = { reference: string, };

export type ImageRemove = { reference: string, 
/**
 * Although stopped containers use it or it has several names.
 */
force: boolean, };

/**
 * One row of the image list: one image, with every name it has.
 */
export type ImageSummary = { id: string, 
/**
 * `repository:tag`; empty for a dangling image.
 */
references: Array<string>, digests: Array<string>, size: number, created: number, 
/**
 * Names of the containers made from it.
 */
usedBy: Array<string>, };

/**
 * Where a login is.
 */
export type Kept = { "type": "helper", program: string, } | { "type": "keychain" } | { "type": "session" } | { "type": "configFile" };

export type LayerProgress = { id: string, stage: LayerStage, doneBytes: number, 
/**
 * 0 while it is not known.
 */
totalBytes: number, };

export type LayerStage = "waiting" | "downloading" | "unpacking" | "done" | "alreadyHere";

/**
 * Some lines of a container's log, in order.
 */
export type LogChunk = { lines: Array<LogLine>, };

export type LogLine = { source: LogSource, 
/**
 * Unix milliseconds, when the engine gave a time.
 */
millis: number | null, 
/**
 * Without its line end. Bytes that are not UTF-8 are replaced; escapes are left in.
 */
text: string, };

export type LogSource = "stdout" | "stderr" | "terminal";

export type LogsRequest = { id: string, 
/**
 * How many of the last lines to begin with.
 */
tail: number, follow: boolean, };

export type MachineErase = { 
/**
 * [`ERASE_WORD`], as the person typed it.
 */
word: string, };

/**
 * By how much what the machine takes of this computer became less, in bytes.
 */
export type MachineFreed = { memory: number, disk: number, };

/**
 * What the machine was told of this computer's network.
 */
export type MachineNetwork = { proxy: ProxyInUse, 
/**
 * How many certificate authorities of this computer the engine trusts; with 0 those of its own list.
 */
authorities: number, 
/**
 * Something of this has changed that the engine takes over when it is started again.
 */
engineOutdated: boolean, };

/**
 * A machine whose engine answers.
 */
export type MachineRunning = { 
/**
 * `qemu`, later `vfkit` and `wsl`.
 */
backend: string, 
/**
 * `kvm`, `hvf`, `whpx` or `tcg` (software emulation).
 */
accelerator: string, engineVersion: string, apiVersion: string, kernel: string, 
/**
 * Unix milliseconds of the moment the engine first answered.
 */
sinceMillis: number, readyInMillis: number, 
/**
 * The machine's own process on this host.
 */
pid: number, usage: MachineUsage, disk: DiskFill, hostRoom: HostRoom, engineRestarts: number, };

export type MachineSettings = { 
/**
 * After how many minutes without running containers and without requests the machine is suspended; `None` is
 * never.
 */
sleepAfterMinutes: number | null, 
/**
 * What the engine's own connections go through.
 */
proxy: ProxyChoice, 
/**
 * Folders of this computer that the machine has, each at the path that it has here.
 */
folders: Array<string>, 
/**
 * Where the machine and its containers have their addresses, from its next start on; `None` is wherever this
 * computer has no route to.
 */
subnet: Subnet | null, };

/**
 * One setting and what it shall be.
 */
export type MachineSettingsChange = { "type": "sleepAfter", minutes: number | null, } | { "type": "proxy", proxy: ProxyChoice, } | { "type": "subnet", subnet: Subnet | null, } | { "type": "all", settings: MachineSettings, } | { "type": "shareFolder", path: string, } | { "type": "unshareFolder", path: string, };

/**
 * What a machine is given. Changing it takes effect at the next start; the disk never shrinks.
 */
export type MachineSpec = { cpus: number, memoryMib: number, diskGib: number, accelerator: Accelerator, };

export type MachineState = { "type": "stopped" } | { "type": "starting", step: StartStep, } | { "type": "running", running: MachineRunning, } | { "type": "suspending" } | { "type": "suspended", 
/**
 * Unix milliseconds.
 */
sinceMillis: number, 
/**
 * Whether the first request at the engine's socket wakes it: it fell asleep because nobody used it.
 */
wakes: boolean, } | { "type": "stopping" } | { "type": "failed", failure: Failure, };

/**
 * Everything a client may know of the machine at one moment.
 */
export type MachineStatus = { state: MachineState, 
/**
 * What the machine has, or will have at its next start.
 */
spec: MachineSpec, 
/**
 * The engine's socket on this host. It exists while the state is `Running`, or `Suspended` and wakes.
 */
socket: string, 
/**
 * Steps of the present or last start, in order, each with what it took.
 */
steps: Array<StepReport>, forwards: Array<Forward>, 
/**
 * What the machine knows of this computer's network; `None` while there is none that knows.
 */
network: MachineNetwork | null, 
/**
 * Things worth a sentence that stop nothing: the fallback to emulation, a repaired disk.
 */
notes: Array<string>, };

/**
 * What the machine costs, in bytes. Guest figures are the guest's, host figures are this computer's.
 */
export type MachineUsage = { guestMemoryUsed: number, guestMemoryTotal: number, guestDiskUsed: number, guestDiskTotal: number, 
/**
 * Of its process and of the daemon.
 */
hostMemory: number, 
/**
 * What the data disk file occupies on this computer.
 */
hostDisk: number, 
/**
 * Of its process and of the daemon: 100 is one core.
 */
hostCpuPercent: number, };

export type MissingHelper = { 
/**
 * `docker-credential-desktop`
 */
program: string, 
/**
 * The registry it is for; `None` for all.
 */
registry: string | null, };

export type Outcome = { "type": "working" } | { "type": "done", container: string | null, } | { "type": "failed", problem: Problem, } | { "type": "cancelled" };

export type Platform = "linux" | "mac" | "windows";

/**
 * A port that a container exposes; `host` is where it is published.
 */
export type Port = { container: number, protocol: Protocol, host: HostPort | null, };

export type PortAnswer = { free: boolean, holder: PortHolder | null, 
/**
 * The container that publishes it, when it is one of this engine's.
 */
container: string | null, 
/**
 * "8080 is used by nginx (pid 4242)", or "8080 is free".
 */
sentence: string, nextFree: number | null, };

/**
 * The program that listens on a port.
 */
export type PortHolder = { program: string, pid: number, };

export type PortQuestion = { 
/**
 * `None`: every address.
 */
address: string | null, port: number, protocol: Protocol, };

/**
 * An error a person can act on. The UI branches on `code` and never on text.
 */
export type Problem = { code: Code, 
/**
 * What happened, in one sentence that names the thing: "Could not start web".
 */
message: string, 
/**
 * Why, in one sentence, where the message does not say it: "8080 is used by nginx (pid 4242)".
 */
why: string | null, 
/**
 * What to do, in one sentence.
 */
hint: string | null, 
/**
 * What is behind it, outermost first: the engine's or the system's own words, to be shown small.
 */
causes: Array<string>, 
/**
 * A remedy that is one click.
 */
action: Action | null, };

export type Protocol = "tcp" | "udp" | "sctp";

/**
 * What the person chose.
 */
export type ProxyChoice = { "type": "system" } | { "type": "manual", http: ProxyUrl | null, https: ProxyUrl | null, 
/**
 * What is reached without a proxy, separated by commas, as `NO_PROXY` writes it.
 */
except: string, } | { "type": "off" };

/**
 * What the engine was told, without passwords.
 */
export type ProxyInUse = { source: ProxySource, http: string | null, https: string | null, except: string, 
/**
 * Why a proxy that this computer has is not used.
 */
trouble: string | null, };

export type ProxySource = "environment" | "desktop" | "manual" | "nobody";

/**
 * A proxy's address, which may hold a password. Showing it masks that.
 */
export type ProxyUrl = string;

export type PublishedPort = { 
/**
 * `None`: every address, as `-p 8080:80` means.
 */
hostAddress: string | null, 
/**
 * `None`: the engine picks a free one.
 */
hostPort: number | null, containerPort: number, protocol: Protocol, };

/**
 * A pull in numbers. Totals grow while the registry's manifests arrive.
 */
export type PullProgress = { layers: Array<LayerProgress>, doneBytes: number, totalBytes: number, bytesPerSecond: number, };

export type RegistryEntry = { address: string, 
/**
 * The person has added it.
 */
added: boolean, 
/**
 * Whom it knows; empty for a token that names nobody.
 */
user: string | null, kept: Kept | null, 
/**
 * The engine asks it without TLS, or does not look at its certificate.
 */
insecure: boolean, 
/**
 * Files with certificate authorities for it alone.
 */
certificates: Array<string>, };

export type RegistryList = { registries: Array<RegistryEntry>, 
/**
 * What the engine was told; `None` while it cannot be asked.
 */
engine: RegistrySettings | null, 
/**
 * It is the one of Wherry's own machine, which takes certificates over from this computer.
 */
ownEngine: boolean, };

export type RegistryLogin = { registry: string, user: string, secret: string, place: Kept, };

/**
 * What a sign-in needs to know.
 */
export type RegistryLook = { 
/**
 * As it is kept.
 */
address: string, 
/**
 * Where a login could be kept, the best first.
 */
places: Array<Kept>, 
/**
 * The docker command's configuration.
 */
config: string, greeting: Greeting | null, 
/**
 * Why it does not answer.
 */
problem: Problem | null, };

/**
 * A registry by its address: `docker.io`, `ghcr.io`, `localhost:5000`.
 */
export type RegistryRef = { registry: string, };

export type RegistrySettings = { 
/**
 * Asked without TLS, or without looking at the certificate. Without those that every engine has: this computer's.
 */
insecure: Array<string>, 
/**
 * Asked before Docker Hub, as addresses with a scheme.
 */
mirrors: Array<string>, };

export type RunRequest = { spec: RunSpec, };

/**
 * Everything that makes a container. One value becomes the API's body and the `docker run` line.
 */
export type RunSpec = { image: string, 
/**
 * `None`: the engine invents one.
 */
name: string | null, ports: Array<PublishedPort>, environment: Array<Variable>, 
/**
 * Words after the image; empty means the image's own command.
 */
command: Array<string>, 
/**
 * `--rm`
 */
removeWhenStopped: boolean, };

/**
 * What a container, or all of them, used at one moment. Rates are averages since the sample before.
 */
export type Sample = { 
/**
 * Milliseconds of Unix time.
 */
at: number, 
/**
 * Of one core: 100 is one core.
 */
cpu: number, 
/**
 * Bytes, without what the kernel only keeps as cache.
 */
memory: number, 
/**
 * What it may use; of a container without a limit, and of all together, what the engine has.
 */
memoryLimit: number, 
/**
 * Received and sent, read and written: bytes a second.
 */
rx: number, tx: number, read: number, write: number, pids: number, };

/**
 * What the person decided. Kept in one file; a broken one is set aside, never overwritten.
 */
export type Settings = { theme: Theme, engine: EngineChoice, 
/**
 * The welcome has been seen through.
 */
welcomed: boolean, };

/**
 * A change to the spec; what is `None` stays.
 */
export type SpecChange = { cpus: number | null, memoryMib: number | null, diskGib: number | null, accelerator: Accelerator | null, };

/**
 * The steps of a start, in the order in which they happen.
 */
export type StartStep = "check" | "disk" | "linux" | "data" | "engine" | "connect";

export type StepReport = { step: StartStep, 
/**
 * `None` while the step is under way.
 */
millis: number | null, 
/**
 * One short sentence for the person: "60 GB at most, 212 MB in use."
 */
detail: string | null, };

/**
 * A network that the person wants the machine and its containers to be in.
 */
export type Subnet = string;

export type SystemSocketState = { "type": "free" } | { "type": "ours" } | { "type": "taken", by: string, } | { "type": "unavailable" };

export type Task = { id: TaskId, work: Work, 
/**
 * Unix milliseconds.
 */
startedMillis: number, progress: PullProgress | null, 
/**
 * What is done now, where there are several things to do: "Volume pgdata".
 */
step: string | null, 
/**
 * What is worth a sentence at its end: "web was running and is stopped now."
 */
notes: Array<string>, outcome: Outcome, };

export type TaskId = string;

export type TaskRef = { id: TaskId, };

export type Theme = "system" | "light" | "dark";

export type Topic = "engine" | "containers" | "images" | "settings" | "registries";

/**
 * Bytes since the container started.
 */
export type Totals = { rx: number, tx: number, read: number, write: number, };

export type Variable = { name: string, value: string, };

export type Verdict = "pass" | "warn" | "fail" | "skip";

/**
 * Whom a registry wants to talk to.
 */
export type Wants = "nobody" | "password" | "token";

/**
 * What it is about.
 */
export type Work = { "type": "pull", reference: string, } | { "type": "run", image: string, name: string | null, } | { "type": "backup", file: string, } | { "type": "verifyBackup", file: string, } | { "type": "restore", file: string, };

export interface Commands {
  "app.about": { params: null; result: About };
  /** Looks at everything between the person and a container that runs; changes nothing. */
  "app.doctor": { params: DoctorRequest; result: Examination };
  /** Writes a zip for somebody who helps, without secrets; it is sent nowhere. */
  "app.diagnose": { params: DiagnoseRequest; result: Bundle };
  /** The engine in use, connected or not. */
  "engine.status": { params: null; result: EngineStatus };
  /** Every engine this computer has, asked now. */
  "engine.candidates": { params: null; result: Array<EngineCandidate> };
  "engine.choose": { params: EngineChoice; result: EngineStatus };
  /** The engine of Wherry's own machine takes over what has changed on this computer. Containers go on. */
  "engine.restart": { params: null; result: MachineStatus };
  "engine.cost": { params: null; result: Cost };
  /** What all containers used in the last hour, and each of them in a line. */
  "engine.history": { params: null; result: EngineHistory };
  /** What happened lately, latest first. */
  "engine.happenings": { params: null; result: Array<Happening> };
  /** What the docker command in a terminal talks to. */
  "docker.setup": { params: null; result: DockerSetup };
  /** Points it to Wherry's own machine. */
  "docker.select": { params: null; result: DockerSetup };
  /** Takes credential helpers that are not installed out of its configuration. */
  "docker.mend": { params: null; result: DockerSetup };
  /** Links `/var/run/docker.sock` to Wherry's own machine. The system may ask for a password. */
  "docker.link": { params: null; result: DockerSetup };
  /** Takes all of that back. */
  "docker.undo": { params: null; result: DockerSetup };
  "machine.status": { params: null; result: MachineStatus };
  /** Returns when the engine answers, or fails; progress comes as events. */
  "machine.start": { params: SpecChange; result: MachineStatus };
  "machine.stop": { params: null; result: null };
  "machine.restart": { params: null; result: MachineStatus };
  /** Containers stand still until the next start; where that cannot be, they are stopped. */
  "machine.suspend": { params: null; result: MachineStatus };
  /** Takes back memory and disk that the machine holds and does not need; some seconds. */
  "machine.free": { params: null; result: MachineFreed };
  /** What the person decided about the machine beside its size; in effect at once. */
  "machine.settings": { params: null; result: MachineSettings };
  "machine.configure": { params: MachineSettingsChange; result: MachineSettings };
  /** Stops it and removes its data disk, with every image, container and volume in it. */
  "machine.erase": { params: MachineErase; result: null };
  /** Containers of the engine, newest first. */
  "container.list": { params: ContainerList; result: Array<ContainerSummary> };
  "container.get": { params: ContainerRef; result: ContainerSummary };
  "container.start": { params: ContainerRef; result: null };
  "container.stop": { params: ContainerRef; result: null };
  "container.restart": { params: ContainerRef; result: null };
  "container.remove": { params: ContainerRemove; result: null };
  /** What it used in the last hour. */
  "container.history": { params: ContainerRef; result: ContainerHistory };
  /** Pulls the image when it is missing, creates, starts. The task's outcome names the container. */
  "container.run": { params: RunRequest; result: TaskId };
  /** The `docker run` line that equals this spec. */
  "container.command": { params: RunSpec; result: CommandLine };
  "image.list": { params: null; result: Array<ImageSummary> };
  "image.get": { params: ImageRef; result: ImageDetail };
  "image.pull": { params: ImageRef; result: TaskId };
  "image.remove": { params: ImageRemove; result: null };
  /** Those with a login, those that were added, and Docker Hub. Nobody is asked for it but credential helpers. */
  "registry.list": { params: null; result: RegistryList };
  /** What is there, and where a login could be kept. */
  "registry.look": { params: RegistryRef; result: RegistryLook };
  /** Asks with the login that is kept. */
  "registry.check": { params: RegistryRef; result: Greeting };
  /** Tries the login, and keeps it when the registry accepts it. */
  "registry.login": { params: RegistryLogin; result: Greeting };
  "registry.logout": { params: RegistryRef; result: null };
  /** Lists it, also without a login. */
  "registry.add": { params: RegistryRef; result: RegistryEntry };
  "registry.remove": { params: RegistryRef; result: null };
  "backup.suggest": { params: null; result: BackupSuggestion };
  /** What a file holds, from its table of contents. */
  "backup.contents": { params: BackupRef; result: BackupManifest };
  /** Everything of the engine in use into one file. */
  "backup.make": { params: BackupMake; result: TaskId };
  /** Reads all of a file; a failed task says what is wrong with it. */
  "backup.verify": { params: BackupRef; result: TaskId };
  /** Everything of a file into the engine in use. */
  "backup.restore": { params: BackupRestore; result: TaskId };
  /** Is it free on this computer, who holds it, what is the next free one. */
  "port.check": { params: PortQuestion; result: PortAnswer };
  "task.list": { params: null; result: Array<Task> };
  "task.cancel": { params: TaskRef; result: null };
  /** Forgets a task that has ended. */
  "task.dismiss": { params: TaskRef; result: null };
  "settings.get": { params: null; result: Settings };
  "settings.set": { params: Settings; result: Settings };
  /** Wherry's and the machine's as they were at first. Nothing in an engine is touched. */
  "settings.reset": { params: null; result: Settings };
}

export interface Streams {
  "app.events": { params: null; result: Event };
  /** Ends when the container stops (with `follow`) or at the end of the log. */
  "container.logs": { params: LogsRequest; result: LogChunk };
  /** What it uses, every two seconds while it runs. */
  "container.stats": { params: ContainerRef; result: ContainerLoad };
  /** What all running containers use, every two seconds while any run. */
  "engine.load": { params: null; result: EngineLoad };
}
