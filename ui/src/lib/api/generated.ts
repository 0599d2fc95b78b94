// Made from crates/app/src/table.rs by `cargo xtask types`. Changes here are lost.

export type About = { version: string, platform: Platform, 
/**
 * Where Wherry keeps everything it stores.
 */
home: string, };

export type Accelerator = "auto" | "emulation";

export type Action = { "type": "startEngine" } | { "type": "usePort", taken: number, instead: number, } | { "type": "retry" } | { "type": "signIn", registry: string, } | { "type": "allowInsecure", registry: string, } | { "type": "trustRegistry", registry: string, } | { "type": "force" } | { "type": "runInTerminal", command: string, };

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

export type BeforePull = { reference: string, registry: string, 
/**
 * As a registry has it; `None` when none could be asked.
 */
image: RemoteImage | null, 
/**
 * Why not. The engine may know a way that we do not.
 */
problem: Problem | null, 
/**
 * The very image is on this engine already.
 */
isHere: boolean, 
/**
 * An older one of this name is.
 */
olderIsHere: boolean, 
/**
 * Layers from the first on that some image here has, and their size.
 */
layersHere: number, bytesHere: number, 
/**
 * Where the engine keeps its images, when that is known.
 */
diskFree: number | null, limit: Limit | null, 
/**
 * As whom it would be pulled.
 */
user: string | null, 
/**
 * What was asked for: `linux/amd64`
 */
platform: string, enginePlatform: string, };

/**
 * A support bundle that was written.
 */
export type Bundle = { path: string, bytes: number, files: Array<BundleFile>, };

export type BundleFile = { name: string, bytes: number, 
/**
 * How often a secret was replaced in it.
 */
hidden: number, };

export type Cause = "memoryLimit" | "machineMemory" | "sharedMemory" | "stopTimedOut" | "killed" | "stopped" | "interrupted" | "wrongCpu" | "noInterpreterLine" | "windowsLineEnds" | "noInterpreter" | "commandNotFound" | "notExecutable" | "noWorkingFolder" | "mountFailed" | "portTaken" | "portTakenInside" | "portNotAllowed" | "moduleMissing" | "libraryMissing" | "fileMissing" | "variableMissing" | "diskFull" | "notAllowedInFolder" | "readOnly" | "needsHostName" | "needsContainerName" | "nameNotFound" | "onlyInside" | "memoryFault" | "wrongInstruction" | "aborted" | "engineRefused" | "nobodyTypes" | "inBackground" | "finished" | "failed";

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
 * One action, ended.
 */
export type Clicked = { 
/**
 * Greater than that of every earlier one.
 */
id: number, 
/**
 * Unix milliseconds, when it began.
 */
atMillis: number, tookMillis: number, 
/**
 * "Started web", or "Could not start web: 8080 is used by nginx".
 */
title: string, failed: boolean, 
/**
 * Each command, word by word, without secrets.
 */
commands: Array<Array<string>>, 
/**
 * The same for a POSIX shell.
 */
line: string, };

/**
 * Actions of "What I clicked".
 */
export type ClickedForget = { ids: Array<number>, };

export type ClickedSave = { script: ClickedScript, 
/**
 * The whole path that the person chose; `None` is a new file in their downloads.
 */
to: string | null, };

/**
 * Which actions to write as a script.
 */
export type ClickedScript = { ids: Array<number>, shell: Shell, };

/**
 * A code exists only if the UI acts on it.
 */
export type Code = "engineUnreachable" | "machineFailed" | "portTaken" | "nameTaken" | "imageNotFound" | "notFound" | "inUse" | "invalid" | "noSpace" | "exists" | "unauthorized" | "forbidden" | "rateLimited" | "registryTrouble" | "cancelled" | "panic" | "other";

/**
 * A shell line, in parts that can be pointed at.
 */
export type CommandLine = { 
/**
 * Ready to paste into a shell, on one line.
 */
text: string, parts: Array<CommandPart>, };

/**
 * Words that belong together: `-p 8080:80`, `--rm`, the image.
 */
export type CommandPart = { kind: CommandPartKind, 
/**
 * Quoted for the shell. For a flag with a value: the flag, a blank, the value.
 */
text: string, 
/**
 * What it does, in one sentence for a beginner; absent where the words speak for themselves.
 */
explanation: string | null, };

export type CommandPartKind = "program" | "flag" | "image" | "argument";

export type Connection = { "type": "connecting" } | { "type": "away", reason: string, } | { "type": "connected", info: EngineInfo, };

export type ContainerAct = { 
/**
 * By id or name.
 */
id: string, action: ContainerAction, };

export type ContainerAction = { "type": "stop", seconds: number, } | { "type": "kill", signal: string, } | { "type": "pause" } | { "type": "resume" } | { "type": "rename", name: string, } | { "type": "commit", reference: string, } | { "type": "update", 
/**
 * Bytes; 0 is no limit.
 */
memory: number | null, 
/**
 * In processors; 0 is no limit.
 */
cpus: number | null, restart: Restart | null, };

/**
 * A container whose files are to be saved as one tar.
 */
export type ContainerExport = { id: string, 
/**
 * The whole path that the person chose; `None` is a new file in their downloads.
 */
to: string | null, };

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
network: number, disk: number, 
/**
 * The last five minutes, ten seconds apart, oldest first.
 */
recentCpu: Array<number>, recentMemory: Array<number>, };

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

/**
 * Containers by id.
 */
export type ContainerRefs = { ids: Array<string>, };

export type ContainerRemove = { id: string, 
/**
 * Although it runs.
 */
force: boolean, 
/**
 * With its volumes that have no name of their own.
 */
volumes: boolean, 
/**
 * Gone at once, and not into the trash.
 */
forever: boolean, };

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
exitCode: number | null, 
/**
 * It stands still because it ran out of memory.
 */
outOfMemory: boolean, health: Health | null, ports: Array<Port>, created: number, labels: { [key in string]: string }, 
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

export type EnvFileRef = { path: string, };

/**
 * What the programs make of a file, line by line.
 */
export type EnvFileView = { path: string, 
/**
 * Every variable that either of them reads, in the order of the file.
 */
variables: Array<EnvVariable>, 
/**
 * Why `docker run` refuses the whole file; then no container is made.
 */
runRefuses: EnvRefusal | null, 
/**
 * Why compose refuses it.
 */
composeRefuses: EnvRefusal | null, 
/**
 * It begins with a byte order mark, which both skip and a shell does not.
 */
hasMark: boolean, 
/**
 * Its lines end as Windows ends them.
 */
hasCarriageReturns: boolean, };

export type EnvRefusal = { 
/**
 * Counted from 1.
 */
line: number, why: string, };

export type EnvVariable = { 
/**
 * Counted from 1.
 */
line: number, name: string, 
/**
 * The line as it stands.
 */
written: string, 
/**
 * What a program gets from `docker run`; `None`: nothing of that name.
 */
run: string | null, compose: string | null, 
/**
 * By its name or its content.
 */
secret: boolean, warnings: Array<EnvWarning>, };

/**
 * What makes a value other than it looks.
 */
export type EnvWarning = "quotesKept" | "blanksKept" | "commentKept" | "expanded" | "expandedToNothing" | "export" | "blankInName" | "inherited" | "setAgain" | "manyLines";

export type Event = { "type": "changed", topic: Topic, } | { "type": "machine", status: MachineStatus, } | { "type": "task", task: Task, } | { "type": "notice", problem: Problem, };

export type Evidence = { from: Source, text: string, };

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
 * Since the image.
 */
export type FileChange = "added" | "changed" | "deleted";

/**
 * A file to be looked at.
 */
export type FileContent = { 
/**
 * Where it really is, behind links.
 */
path: string, size: number, modified: number, mode: number, owner: FileOwner, 
/**
 * `None` when it is no text, or too long for one.
 */
text: string | null, };

export type FileDifference = { path: string, 
/**
 * In bytes; `None` where the first image does not have it.
 */
before: number | null, 
/**
 * `None` where the second does not.
 */
after: number | null, };

export type FileDifferences = { 
/**
 * The largest first.
 */
files: Array<FileDifference>, 
/**
 * How many there are, with those that are not told.
 */
added: number, removed: number, changed: number, same: number, 
/**
 * A layer is stored in a way that is not read here, so files may be missing.
 */
unread: boolean, };

/**
 * A file or a folder of a container that is to be saved on this computer.
 */
export type FileDownload = { container: string, path: string, 
/**
 * The whole path that the person chose; `None` is a new file in their downloads.
 */
to: string | null, };

export type FileEntry = { name: string, kind: FileKind, size: number, 
/**
 * Unix seconds.
 */
modified: number, 
/**
 * The permission bits.
 */
mode: number, owner: FileOwner, change: FileChange | null, 
/**
 * It is a volume, or a folder of this computer.
 */
shared: string | null, };

export type FileKind = "folder" | "file" | "link" | "other";

export type FileList = { 
/**
 * Whole, without links at its end.
 */
path: string, 
/**
 * Folders first, then by name.
 */
entries: Array<FileEntry>, 
/**
 * There are more than are listed.
 */
cut: boolean, 
/**
 * Whose folder it is, so that new files can be theirs.
 */
owner: FileOwner, 
/**
 * The volume or the folder of this computer that this is in.
 */
shared: string | null, 
/**
 * Something runs in the container that can rename and delete.
 */
changeable: boolean, };

/**
 * A file or a folder that is to be.
 */
export type FileNew = { container: string, folder: string, name: string, owner: FileOwner, };

export type FileOwner = { user: number, group: number, };

/**
 * A file or a folder of a container.
 */
export type FileRef = { container: string, 
/**
 * From the root.
 */
path: string, };

export type FileRename = { container: string, path: string, name: string, };

export type FileSave = { container: string, path: string, text: string, 
/**
 * When it was changed last, as far as the page knows.
 */
modified: number, 
/**
 * Although it was changed meanwhile.
 */
force: boolean, };

export type FileUpload = { file: FileNew, size: number, };

/**
 * A remedy: a button in the window, a line to type in a terminal.
 */
export type Fix = { action: FixAction, label: string, command: string, };

export type FixAction = "startEngine" | "restartEngine" | "selectContext" | "mendCredentials" | "freeSpace" | "runInTerminal";

export type FolderRef = { path: string, };

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
 * An image that Docker Hub knows.
 */
export type FoundImage = { 
/**
 * As `docker pull` takes it: `postgres`, `bitnami/postgresql`.
 */
name: string, description: string, 
/**
 * Made by Docker together with the project.
 */
official: boolean, 
/**
 * Docker knows who publishes it.
 */
verified: boolean, stars: number, 
/**
 * In Hub's own words: "1B+".
 */
pulls: string, };

export type Gpus = { which: WhichGpus, 
/**
 * `nvidia`; `None`: what the engine has.
 */
driver: string | null, 
/**
 * `compute`, `utility`
 */
capabilities: Array<string>, };

/**
 * What a registry is like.
 */
export type Greeting = { wants: Wants, 
/**
 * Over TLS.
 */
encrypted: boolean, millis: number, };

export type Happened = { "type": "started" } | { "type": "ended", exitCode: number, } | { "type": "outOfMemory" } | { "type": "paused" } | { "type": "unpaused" } | { "type": "renamed", before: string, } | { "type": "removed" } | { "type": "restored" } | { "type": "healthy" } | { "type": "unhealthy" } | { "type": "imagePulled" } | { "type": "imagePushed" } | { "type": "imageLoaded" } | { "type": "imageTagged" } | { "type": "imageRemoved" };

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

/**
 * What is `None` or 0 is as the image or the engine has it.
 */
export type HealthCheck = { 
/**
 * Run by a shell in the container; 0 means healthy.
 */
command: string | null, intervalMillis: number, timeoutMillis: number, startPeriodMillis: number, startIntervalMillis: number, retries: number, };

export type HealthSetting = { "type": "image" } | { "type": "off" } | { "type": "own", check: HealthCheck, };

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
export type ImageDetail = { id: string, references: Array<string>, size: number, created: number, architecture: string, os: string, exposedPorts: Array<ExposedPort>, environment: Array<Variable>, entrypoint: Array<string>, command: Array<string>, volumes: Array<string>, workingDirectory: string, user: string, labels: { [key in string]: string }, 
/**
 * Digests of what its layers hold unpacked, from the first on: what two images share begins alike.
 */
layers: Array<string>, };

/**
 * A tar of images by its whole path.
 */
export type ImageFile = { file: string, 
/**
 * The file holds plain files and no image, as `docker export` writes it: they become an image of this name.
 */
name: string | null, };

export type ImagePair = { before: string, after: string, };

export type ImageQuery = { query: string, };

/**
 * An image by reference or id.
 */
export type ImageRef = { reference: string, };

export type ImageRemove = { reference: string, 
/**
 * Although stopped containers use it or it has several names.
 */
force: boolean, 
/**
 * Gone at once, and not into the trash.
 */
forever: boolean, };

export type ImageSave = { references: Array<string>, 
/**
 * A whole path.
 */
file: string, };

export type ImageSeen = { 
/**
 * With a tag: `python:3.12`.
 */
reference: string, 
/**
 * The image here: that of the name, or the one that a container was made from.
 */
id: string, };

/**
 * What one image holds for itself, and with others.
 */
export type ImageSize = { id: string, 
/**
 * `linux/amd64`
 */
platform: string, 
/**
 * In layers that other images have, too; `None` where the engine does not say.
 */
shared: number | null, };

/**
 * One step of how an image was built.
 */
export type ImageStep = { 
/**
 * As in a Dockerfile: `RUN apt-get update`.
 */
instruction: string, 
/**
 * Unix seconds.
 */
created: number, 
/**
 * What it added, unpacked; 0 for what only sets something.
 */
bytes: number, comment: string, };

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
usedBy: Array<string>, 
/**
 * When a container of it ran last, as far as anybody has seen: Unix seconds.
 */
lastUse: number | null, };

export type ImageTag = { reference: string, 
/**
 * The name that it gets, too.
 */
target: string, };

/**
 * Images as somebody sees them.
 */
export type ImagesSeen = { images: Array<ImageSeen>, };

/**
 * `HOST`, `HOST:PORT` or a network of such hosts, in lower case. It is never anything else: an engine that is told what
 * it cannot read does not start.
 */
export type InsecureRegistry = string;

/**
 * Where a login is.
 */
export type Kept = { "type": "helper", program: string, } | { "type": "keychain", terminal: boolean, } | { "type": "session" } | { "type": "configFile" };

export type Lamp = { light: Light, 
/**
 * "Listens inside"
 */
words: string, 
/**
 * "on 0.0.0.0"
 */
detail: string, };

export type LayerFile = { path: string, bytes: number, 
/**
 * The layer takes away what an earlier one brought.
 */
removed: boolean, };

/**
 * The files of one layer.
 */
export type LayerFiles = { 
/**
 * Which step of the image's history made it, from 0; `None` where the image does not say.
 */
step: number | null, 
/**
 * The largest first, then what was removed.
 */
files: Array<LayerFile>, 
/**
 * How many there are, with those that are not told.
 */
count: number, removed: number, bytes: number, 
/**
 * It is stored in a way that is not read here.
 */
unread: boolean, };

export type LayerProgress = { id: string, stage: LayerStage, doneBytes: number, 
/**
 * 0 while it is not known.
 */
totalBytes: number, };

export type LayerStage = "waiting" | "retrying" | "downloading" | "unpacking" | "done" | "alreadyHere";

export type LeftOver = { name: string, why: string, };

export type Light = "ok" | "limited" | "fails" | "off";

/**
 * How many pulls a registry allows, as Docker Hub says it.
 */
export type Limit = { allowed: number, left: number, 
/**
 * For how long that many are allowed.
 */
windowSeconds: number, };

/**
 * A part of the `docker run` line that only one of two specs has.
 */
export type LineChange = { 
/**
 * Only the later one has it; else only the earlier.
 */
added: boolean, 
/**
 * Without what is secret.
 */
text: string, explanation: string | null, };

export type LogLevel = "debug" | "info" | "warning" | "error";

export type LogLine = { source: LogSource, 
/**
 * Unix milliseconds, when the engine gave a time.
 */
millis: number | null, 
/**
 * Without its line end. Bytes that are not UTF-8 are replaced; escapes are left in.
 */
text: string, };

/**
 * What an open log says.
 */
export type LogNews = { "type": "state", state: LogState, } | { "type": "lines", 
/**
 * The position of the first in what is shown.
 */
from: number, lines: Array<ShownLine>, } | { "type": "found", number: number, 
/**
 * Where it is in what is shown.
 */
position: number, 
/**
 * Counted from 1.
 */
nth: number, } | { "type": "badPattern", why: string, } | { "type": "text", text: string, } | { "type": "whole", text: string | null, };

/**
 * Which log, and from where.
 */
export type LogOpen = { 
/**
 * One container, or those of a project.
 */
ids: Array<string>, 
/**
 * The last lines of each; `None`: all.
 */
tail: number | null, 
/**
 * Milliseconds of Unix time.
 */
since: number | null, until: number | null, };

/**
 * A log to be saved.
 */
export type LogSave = { log: LogOpen, 
/**
 * Of its containers, in their order.
 */
names: Array<string>, 
/**
 * For the file's name.
 */
title: string, 
/**
 * The whole path that the person chose; `None` is a new file in their downloads.
 */
to: string | null, };

export type LogSource = "stdout" | "stderr" | "terminal";

export type LogState = { 
/**
 * Lines that are shown with the search and the levels.
 */
shown: number, 
/**
 * All that are kept.
 */
kept: number, 
/**
 * Older ones that were kept and are no longer.
 */
dropped: number, 
/**
 * Lines with a match.
 */
matches: number, 
/**
 * Not all lines have been looked at yet.
 */
searching: boolean, 
/**
 * Nothing comes any more.
 */
ended: boolean, 
/**
 * What was there when it was opened has been read.
 */
read: boolean, };

/**
 * What the page wants of an open log.
 */
export type LogWish = { "type": "window", from: number | null, count: number, } | { "type": "look", search: string, regex: boolean, matchingOnly: boolean, 
/**
 * Empty: all.
 */
levels: Array<LogLevel>, } | { "type": "step", from: number | null, forward: boolean, } | { "type": "text" } | { "type": "whole", number: number, } | { "type": "clear" };

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
pid: number, usage: MachineUsage, disk: DiskFill, hostRoom: HostRoom, engineRestarts: number, 
/**
 * Its processors stand still, because nobody uses it; the next request makes them go on.
 */
rests: boolean, };

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
subnet: Subnet | null, 
/**
 * Registries that the engine asks without encryption.
 */
insecureRegistries: Array<InsecureRegistry>, };

/**
 * One setting and what it shall be.
 */
export type MachineSettingsChange = { "type": "sleepAfter", minutes: number | null, } | { "type": "proxy", proxy: ProxyChoice, } | { "type": "subnet", subnet: Subnet | null, } | { "type": "insecureRegistries", registries: Array<InsecureRegistry>, } | { "type": "all", settings: MachineSettings, } | { "type": "shareFolder", path: string, } | { "type": "unshareFolder", path: string, };

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

/**
 * What made a container, and what it has become.
 */
export type MadeOf = { id: string, name: string, running: boolean, spec: RunSpec, 
/**
 * What the spec cannot say: "a second request for GPUs".
 */
lost: Array<string>, 
/**
 * The name of its image is by now that of another one.
 */
newerImage: boolean, 
/**
 * What it has written inside itself, which no other container has: the first of these paths.
 */
written: Array<string>, writtenCount: number, };

/**
 * What made a container.
 */
export type MadeOfRequest = { id: string, 
/**
 * For a second one beside it.
 */
copy: boolean, };

export type MissingHelper = { 
/**
 * `docker-credential-desktop`
 */
program: string, 
/**
 * The registry it is for; `None` for all.
 */
registry: string | null, };

export type MountSource = { "type": "folder", path: string, 
/**
 * Refused when it is not there (`--mount`); otherwise an empty folder is made (`-v`).
 */
mustExist: boolean, } | { "type": "volume", name: string | null, } | { "type": "memory" };

/**
 * What a registry says of one. Images that no registry knows are not told.
 */
export type Newness = { image: ImageSeen, newer: boolean, 
/**
 * Unix milliseconds, when the registry was looked at.
 */
lookedAt: number, };

export type Outcome = { "type": "working" } | { "type": "done", container: string | null, } | { "type": "failed", problem: Problem, } | { "type": "cancelled" };

/**
 * Something of the line that is not in the spec as it stands.
 */
export type PasteNote = { kind: PasteNoteKind, 
/**
 * As it is written in the line.
 */
part: string, sentence: string, };

export type PasteNoteKind = "harmless" | "missing" | "look";

/**
 * What the line becomes.
 */
export type Pasted = { spec: RunSpec, notes: Array<PasteNote>, 
/**
 * It speaks of the folder that the terminal is in: `$(pwd)`, `./data`.
 */
usesFolder: boolean, 
/**
 * The shell that it is written for.
 */
shell: Shell, };

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

/**
 * A published or exposed port with what was found out about it now.
 */
export type PortLamps = { port: number, protocol: Protocol, 
/**
 * Where it is published; `None` when it is only exposed.
 */
host: HostPort | null, listens: Lamp, forwarded: Lamp, answers: Lamp, 
/**
 * A program listens, and only to the container itself: `127.0.0.1` or `::1`.
 */
onlyItself: boolean, };

export type PortQuestion = { 
/**
 * `None`: every address.
 */
address: string | null, port: number, protocol: Protocol, };

export type Preflight = { checks: Array<PreflightCheck>, };

export type PreflightAbout = { "type": "image" } | { "type": "name" } | { "type": "mount", target: string, } | { "type": "envFile", path: string, } | { "type": "memory" } | { "type": "disk" };

export type PreflightCheck = { about: PreflightAbout, verdict: Verdict, sentence: string, fix: PreflightFix | null, };

/**
 * A change of the form or of this computer, as a button.
 */
export type PreflightFix = { "type": "useName", name: string, } | { "type": "makeFolder", path: string, } | { "type": "shareFolder", path: string, } | { "type": "useMemory", bytes: number, } | { "type": "useOwnPlatform" } | { "type": "freeSpace" };

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

export type Process = { pid: number, parent: number, 
/**
 * A name, or a number where the container has no name for it.
 */
user: string, 
/**
 * `R` runs, `S` sleeps, `D` waits for a disk, `Z` has ended and nobody asked.
 */
state: string, memory: number, cpuSeconds: number, command: string, };

export type ProcessSignal = { 
/**
 * The container.
 */
id: string, 
/**
 * As the container counts.
 */
pid: number, 
/**
 * `TERM`, `KILL`
 */
signal: string, };

export type Processes = { processes: Array<Process>, 
/**
 * Their numbers are those of the container, so that they can be ended one by one.
 */
killable: boolean, };

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
hostPort: number | null, 
/**
 * The last of a range that begins with `host_port`.
 */
hostLast: number | null, containerPort: number, 
/**
 * The last of a range that begins with `container_port`. With one container port and several of the host the
 * engine picks one of these.
 */
containerLast: number | null, protocol: Protocol, };

export type PullPolicy = "always" | "missing" | "never";

/**
 * A pull in numbers. Totals grow while the registry's manifests arrive.
 */
export type PullProgress = { layers: Array<LayerProgress>, doneBytes: number, totalBytes: number, bytesPerSecond: number, };

export type PullQuestion = { reference: string, 
/**
 * The engine's own without one.
 */
platform: string | null, };

/**
 * A flag that few people need, for a list to choose from.
 */
export type RareChoice = { 
/**
 * Without the hyphens.
 */
flag: string, isSwitch: boolean, about: string, };

/**
 * A flag of `docker run` by its long name, and its value as it is written.
 */
export type RareFlag = { 
/**
 * Without the hyphens: `oom-score-adj`.
 */
flag: string, 
/**
 * `true` for a switch.
 */
value: string, };

/**
 * What an engine says of one thing, as it says it.
 */
export type RawJson = { json: string, };

export type ReclaimItem = { id: string, 
/**
 * As people know it.
 */
name: string, 
/**
 * What comes back when it alone goes: what others share stays.
 */
size: number, 
/**
 * "Exited (0) 3 days ago"
 */
status: string | null, 
/**
 * When it was used last, where anybody knows: Unix seconds.
 */
lastUse: number | null, 
/**
 * When it was made, or removed if it is in the trash: Unix seconds.
 */
at: number | null, 
/**
 * What the docker command names to remove it: every name of an image.
 */
remove: Array<string>, 
/**
 * Of what is in the trash.
 */
trashed: TrashId | null, };

/**
 * What the person decided to remove, as [`ReclaimItem::remove`] names it.
 */
export type ReclaimRequest = { containers: Array<string>, images: Array<string>, volumes: Array<string>, buildCache: boolean, trash: Array<TrashId>, 
/**
 * Containers and images go into the trash, where they use what they used. Volumes always do.
 */
keep: boolean, };

/**
 * What could be removed without stopping anything.
 */
export type Reclaimable = { 
/**
 * They do not run.
 */
containers: Array<ReclaimItem>, 
/**
 * No container was made from them.
 */
images: Array<ReclaimItem>, 
/**
 * No container has them. What is in them exists nowhere else.
 */
volumes: Array<ReclaimItem>, 
/**
 * No build is using it.
 */
buildCache: Array<ReclaimItem>, 
/**
 * What was removed, and waits to be gone for good.
 */
trash: Array<ReclaimItem>, };

export type Reclaimed = { 
/**
 * By how much less the engine's disk holds.
 */
bytes: number, 
/**
 * What could not be removed.
 */
left: Array<LeftOver>, 
/**
 * What can be brought back.
 */
kept: Array<TrashId>, };

export type RecreateRequest = { 
/**
 * The container that it takes the place of.
 */
id: string, spec: RunSpec, };

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

/**
 * Whether the engine of Wherry's own machine may ask a registry without encryption.
 */
export type RegistryInsecure = { registry: string, allowed: boolean, };

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

export type Remedy = { "type": "runAgain", spec: RunSpec, } | { "type": "start" } | { "type": "stop" } | { "type": "showLogs" } | { "type": "resources" } | { "type": "freeSpace" } | { "type": "copy", text: string, };

/**
 * An image as a registry has it, for one platform.
 */
export type RemoteImage = { 
/**
 * Of what the tag names: the list of platforms, where there is one.
 */
digest: string | null, 
/**
 * `linux/amd64`, `linux/arm64/v8`; those that the registry has this image for.
 */
platforms: Array<string>, 
/**
 * The one that is described here: the engine's own, or the only one there is.
 */
platform: string, 
/**
 * The platform is the engine's own.
 */
fits: boolean, layers: Array<RemoteLayer>, 
/**
 * Of all layers as they are downloaded.
 */
bytes: number, 
/**
 * Unix seconds; 0 where the image does not say.
 */
created: number, };

export type RemoteLayer = { digest: string, bytes: number, 
/**
 * Of the layer unpacked, by which an engine knows it.
 */
diffId: string | null, };

/**
 * A tag, with what is known of it without asking more.
 */
export type RemoteTag = { name: string, 
/**
 * To download, for the engine's platform.
 */
bytes: number | null, 
/**
 * When it came there, or where a registry does not say that, when it was built: Unix seconds.
 */
since: number | null, platforms: Array<string>, };

export type RemoteTags = { 
/**
 * In the registry's order, or the newest first where it says when.
 */
tags: Array<RemoteTag>, 
/**
 * There are more, which a search by name finds.
 */
more: boolean, };

/**
 * What was removed and can be brought back; empty when it is gone for good.
 */
export type Removed = { kept: Array<TrashId>, };

export type Restart = { "type": "no" } | { "type": "always" } | { "type": "unlessStopped" } | { "type": "onFailure", 
/**
 * `None`: for ever.
 */
retries: number | null, };

/**
 * What came back.
 */
export type Restored = { id: TrashId, 
/**
 * Another than before where that is taken now.
 */
name: string, 
/**
 * It ran before, and could not be started again: the engine's words.
 */
notStarted: string | null, 
/**
 * It was known by this, and the engine has forgotten it: somebody removed it meanwhile.
 */
lostDigest: string | null, };

/**
 * How a spec is to be written.
 */
export type RunAsText = { spec: RunSpec, shell: Shell, 
/**
 * With values that look like passwords and keys.
 */
secrets: boolean, };

export type RunDevice = { 
/**
 * `/dev/ttyUSB0`, or a name of the Container Device Interface: `vendor.com/class=name`.
 */
host: string, 
/**
 * `None`: the same path.
 */
container: string | null, 
/**
 * Of r, w and m; `None`: all.
 */
permissions: string | null, };

export type RunMount = { source: MountSource, 
/**
 * The path in the container.
 */
target: string, readOnly: boolean, 
/**
 * As `-v` and `--tmpfs` have them: `z`, `nocopy`, `rslave`, `size=64m`.
 */
options: Array<string>, };

export type RunNetwork = { 
/**
 * `bridge`, `host`, `none`, `container:NAME`, or one of the person's own.
 */
name: string, aliases: Array<string>, ip: string | null, ip6: string | null, };

export type RunPaste = { line: string, 
/**
 * The one it was written for; `None`: told by the line itself.
 */
shell: Shell | null, 
/**
 * What `$(pwd)` and `./` mean; `None`: the person's own folder.
 */
folder: string | null, };

export type RunRequest = { spec: RunSpec, };

/**
 * Everything that makes a container. `docker run`'s flags that few people need are in `rare`, as they are written.
 */
export type RunSpec = { image: string, 
/**
 * `None`: the engine invents one.
 */
name: string | null, 
/**
 * `linux/arm64`; `None`: the engine's own.
 */
platform: string | null, pull: PullPolicy, 
/**
 * `None`: the image's own. Empty: none at all.
 */
entrypoint: string | null, 
/**
 * Words after the image; empty means the image's own command.
 */
command: Array<string>, workingDirectory: string | null, user: string | null, 
/**
 * `-i`
 */
interactive: boolean, 
/**
 * `-t`
 */
terminal: boolean, init: boolean, 
/**
 * `--rm`
 */
removeWhenStopped: boolean, restart: Restart, stopSignal: string | null, 
/**
 * Seconds; -1 waits for ever.
 */
stopTimeout: number | null, ports: Array<PublishedPort>, 
/**
 * `-P`
 */
publishAll: boolean, mounts: Array<RunMount>, environment: Array<Variable>, 
/**
 * Paths on this computer, read when the container is made. `environment` wins over them.
 */
envFiles: Array<string>, labels: Array<Variable>, memory: number | null, cpus: number | null, shmSize: number | null, gpus: Gpus | null, ulimits: Array<Ulimit>, health: HealthSetting, logDriver: string | null, logOptions: Array<Variable>, 
/**
 * The first is the one it starts with. Empty: the engine's default network.
 */
networks: Array<RunNetwork>, hostname: string | null, dns: Array<string>, 
/**
 * `name:address`
 */
extraHosts: Array<string>, privileged: boolean, 
/**
 * The container's own file system cannot be written.
 */
readOnly: boolean, capAdd: Array<string>, capDrop: Array<string>, securityOptions: Array<string>, devices: Array<RunDevice>, sysctls: Array<Variable>, rare: Array<RareFlag>, };

export type RunText = { command: CommandLine, 
/**
 * What ends a line that goes on in this shell.
 */
continuation: string, 
/**
 * Why the line cannot be pasted into this shell.
 */
obstacle: string | null, 
/**
 * A compose file with this one service.
 */
compose: string, 
/**
 * Flags that compose has nothing for.
 */
composeMisses: Array<string>, };

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
 * A file of this computer that was written.
 */
export type Saved = { path: string, bytes: number, };

export type Script = { 
/**
 * `wherry.sh`
 */
name: string, text: string, };

/**
 * What the person decided. Kept in one file; a broken one is set aside, never overwritten.
 */
export type Settings = { theme: Theme, textSize: TextSize, engine: EngineChoice, 
/**
 * The welcome has been seen through.
 */
welcomed: boolean, trash: TrashBounds, };

export type Shell = "posix" | "powerShell" | "cmd";

export type ShellUser = { name: string, id: number, };

/**
 * What a terminal in a container can be.
 */
export type Shells = { 
/**
 * Paths, the best first; none in an image without a shell.
 */
shells: Array<string>, 
/**
 * Those of the container's own list of users who can have a shell.
 */
users: Array<ShellUser>, 
/**
 * Whom the container's own program runs as, as the image or the person wrote it; `None` is root.
 */
user: string | null, 
/**
 * The container's own program has a terminal to attach to.
 */
terminal: boolean, };

/**
 * A line as it is drawn.
 */
export type ShownLine = { 
/**
 * Its name: it stays although others are dropped.
 */
number: number, 
/**
 * Which of the containers.
 */
of: number, source: LogSource, millis: number | null, level: LogLevel | null, 
/**
 * With colours and without any other escape.
 */
text: string, 
/**
 * How long all of it is, in bytes, when there is more of it than is drawn.
 */
length: number | null, 
/**
 * Where the search was found in the text without colours: begins and ends, in UTF-16 units.
 */
found: Array<[number, number]>, };

export type Source = "engine" | "events" | "kernel" | "log" | "settings" | "sockets" | "files";

/**
 * A change to the spec; what is `None` stays.
 */
export type SpecChange = { cpus: number | null, memoryMib: number | null, diskGib: number | null, accelerator: Accelerator | null, };

export type SpecPair = { before: RunSpec, after: RunSpec, };

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

/**
 * Some of what [`RemoteTags`] lists.
 */
export type TagNames = { 
/**
 * An image's name without a tag.
 */
reference: string, tags: Array<string>, };

export type TagsRequest = { 
/**
 * An image's name without a tag.
 */
reference: string, 
/**
 * Only tags with this in their names.
 */
named: string, };

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

export type Terminal = { id: number, 
/**
 * The container's whole id.
 */
container: string, kind: TerminalKind, 
/**
 * Where a debug shell finds the container's files.
 */
root: string | null, ended: boolean, };

export type TerminalInput = { "type": "text", text: string, } | { "type": "size", columns: number, rows: number, } | { "type": "shown", until: number, };

/**
 * What is in a terminal.
 */
export type TerminalKind = { "type": "shell", program: string, user: string | null, } | { "type": "attach" } | { "type": "debug", image: string, };

export type TerminalOpen = { 
/**
 * The container, by id or name.
 */
container: string, kind: TerminalKind, columns: number, rows: number, };

/**
 * What a terminal shows, in order.
 */
export type TerminalOutput = { "type": "text", text: string, 
/**
 * Where in all it has shown this ends. It is said back once it is on the screen.
 */
until: number, 
/**
 * It was shown before this page came: questions in it have been answered.
 */
again: boolean, } | { "type": "ended", code: number | null, };

/**
 * A terminal by its id.
 */
export type TerminalRef = { id: number, };

/**
 * Of everything in the window.
 */
export type TextSize = "small" | "normal" | "large" | "largest";

export type Theme = "system" | "light" | "dark";

export type Tone = "bad" | "warn" | "plain";

export type Topic = "engine" | "containers" | "images" | "settings" | "registries" | "clicked" | "trash";

/**
 * Bytes since the container started.
 */
export type Totals = { rx: number, tx: number, read: number, write: number, };

/**
 * What the trash keeps; the oldest goes first.
 */
export type TrashBounds = { days: number, bytes: number, };

export type TrashId = { "type": "container", "id": string } | { "type": "image", "id": string } | { "type": "volume", "id": string };

/**
 * One thing in the trash.
 */
export type TrashItem = { id: TrashId, 
/**
 * What it was called, and will be again.
 */
name: string, 
/**
 * What the engine calls it meanwhile.
 */
keptAs: string, 
/**
 * Unix milliseconds, when it was removed.
 */
at: number, 
/**
 * Of a container: its image. Else nothing.
 */
image: string | null, 
/**
 * What it will be called instead, when its own name cannot be given back: that of an image known by its digest.
 */
comesBackAs: string | null, 
/**
 * What comes back when it is gone for good; `None` while it is not measured.
 */
bytes: number | null, 
/**
 * The commands that bring it back, for a POSIX shell.
 */
restoring: string, 
/**
 * The command after which it is gone for good.
 */
deleting: string, };

export type TrashList = { 
/**
 * With how much each uses, which takes the engine a while.
 */
measured: boolean, };

/**
 * What became of what was to come back, or to go.
 */
export type TrashOutcome = { restored: Array<Restored>, gone: number, 
/**
 * Each with why.
 */
failed: Array<Problem>, };

export type TrashRef = { ids: Array<TrashId>, };

export type Ulimit = { name: string, 
/**
 * -1: no limit.
 */
soft: number, hard: number, };

export type UploadPiece = { 
/**
 * In base64.
 */
data: string, };

export type UploadProgress = { written: number, };

export type Variable = { name: string, value: string, };

export type Verdict = "pass" | "warn" | "fail" | "skip";

/**
 * Whom a registry wants to talk to.
 */
export type Wants = "nobody" | "password" | "token";

export type WhichGpus = { "type": "all" } | { "type": "count", count: number, } | { "type": "devices", ids: Array<string>, };

/**
 * The story of a container that stopped, does not start or is not reached.
 */
export type Why = { cause: Cause, 
/**
 * For a list, in a few words: "Out of memory".
 */
short: string, 
/**
 * "trainer ran out of memory and was stopped"
 */
headline: string, 
/**
 * What happened, in a sentence or two.
 */
story: string, 
/**
 * What the exit code means.
 */
meaning: string | null, 
/**
 * How it is known, in the words of whoever said it.
 */
evidence: Array<Evidence>, fixes: Array<WhyFix>, tone: Tone, 
/**
 * Its last lines.
 */
lines: Array<LogLine>, 
/**
 * When it ended: milliseconds of Unix time.
 */
at: number | null, 
/**
 * How long it had run: milliseconds.
 */
ran: number | null, };

export type WhyFix = { 
/**
 * "Give it 2 GB of memory"
 */
title: string, note: string, 
/**
 * The button's words.
 */
button: string, remedy: Remedy, };

/**
 * For a list.
 */
export type WhyLine = { id: string, cause: Cause, short: string, tone: Tone, };

/**
 * What it is about.
 */
export type Work = { "type": "pull", reference: string, } | { "type": "push", reference: string, } | { "type": "saveImages", images: Array<string>, file: string, } | { "type": "loadImages", file: string, } | { "type": "run", image: string, name: string | null, } | { "type": "recreate", name: string, } | { "type": "backup", file: string, } | { "type": "verifyBackup", file: string, } | { "type": "restore", file: string, };

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
  /** What nobody uses, by name and size; removes nothing. */
  "engine.reclaimable": { params: null; result: Reclaimable };
  /** Removes exactly what is named, and says what it could not. */
  "engine.reclaim": { params: ReclaimRequest; result: Reclaimed };
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
  /** Stops it with a time, kills, pauses, renames, commits, changes its limits. */
  "container.act": { params: ContainerAct; result: null };
  /** The command that equals that. */
  "container.line": { params: ContainerAct; result: CommandLine };
  /** Everything the engine says of it. */
  "container.inspect": { params: ContainerRef; result: RawJson };
  /** Each port from both ends: who listens, whether it is forwarded, whether it answers. */
  "container.ports": { params: ContainerRef; result: Array<PortLamps> };
  "container.processes": { params: ContainerRef; result: Processes };
  "container.signal": { params: ProcessSignal; result: null };
  /** All its files as one tar, where the person chose or into their downloads. */
  "container.export": { params: ContainerExport; result: Saved };
  /** Into the trash, or for good. */
  "container.remove": { params: ContainerRemove; result: Removed };
  /** What it used in the last hour. */
  "container.history": { params: ContainerRef; result: ContainerHistory };
  /** Why it stopped, does not start or is not reached; null when there is nothing to tell. */
  "container.why": { params: ContainerRef; result: Why | null };
  /** The same in a few words, for those of these that have a story. */
  "container.why_lines": { params: ContainerRefs; result: Array<WhyLine> };
  /** All of it where the person chose or into their downloads, as text with times. */
  "container.save_log": { params: LogSave; result: Saved };
  /** Pulls the image when it is missing, creates, starts. The task's outcome names the container. */
  "container.run": { params: RunRequest; result: TaskId };
  /** What made a container, for the run form. */
  "container.made_of": { params: MadeOfRequest; result: MadeOf };
  /** What two specs do differently. */
  "container.changes": { params: SpecPair; result: Array<LineChange> };
  /** Makes it anew in place of the one that is there, which stays until the new one runs. Each step is kept for */
  /** "What I clicked". */
  "container.recreate": { params: RecreateRequest; result: TaskId };
  /** What can be known before it is tried; ports have a question of their own. */
  "container.preflight": { params: RunRequest; result: Preflight };
  /** The `docker run` line and the compose file that equal this spec. */
  "container.command": { params: RunAsText; result: RunText };
  /** The spec that equals a `docker run` line; what cannot be taken over is named. */
  "container.paste": { params: RunPaste; result: Pasted };
  /** Flags of `docker run` that have no field of their own in a spec. */
  "container.rare_flags": { params: null; result: Array<RareChoice> };
  /** Every action with its command, newest first. */
  "clicked.list": { params: null; result: Array<Clicked> };
  "clicked.script": { params: ClickedScript; result: Script };
  /** Writes it where the person chose or into their downloads. */
  "clicked.save": { params: ClickedSave; result: Saved };
  "clicked.forget": { params: ClickedForget; result: null };
  /** Makes an empty one, with the folders above it. */
  "folder.make": { params: FolderRef; result: null };
  /** What `docker run` and compose would read from a file of variables. */
  "env.look": { params: EnvFileRef; result: EnvFileView };
  "image.list": { params: null; result: Array<ImageSummary> };
  "image.get": { params: ImageRef; result: ImageDetail };
  /** How it was built, the first step first. */
  "image.history": { params: ImageRef; result: Array<ImageStep> };
  /** What each layer brought and took away. The engine writes out all of the image for this. */
  "image.files": { params: ImageRef; result: Array<LayerFiles> };
  /** Which files two images do not have alike. The engine writes out both for this. */
  "image.compare": { params: ImagePair; result: FileDifferences };
  /** Whether registries have newer ones of these names: asked a few at a time, and remembered. */
  "image.newness": { params: ImagesSeen; result: Array<Newness> };
  /** What takes the engine a while to say. */
  "image.sizes": { params: null; result: Array<ImageSize> };
  /** In Docker Hub. */
  "image.search": { params: ImageQuery; result: Array<FoundImage> };
  "image.tags": { params: TagsRequest; result: RemoteTags };
  /** Size, age and platforms of tags, where their list does not say them. */
  "image.tag_details": { params: TagNames; result: Array<RemoteTag> };
  /** What a pull would bring and cost; pulls nothing. */
  "image.before_pull": { params: PullQuestion; result: BeforePull };
  "image.pull": { params: ImageRef; result: TaskId };
  "image.push": { params: ImageRef; result: TaskId };
  /** One more name for an image. */
  "image.tag": { params: ImageTag; result: null };
  /** Into a tar that every engine can load. */
  "image.save": { params: ImageSave; result: TaskId };
  "image.load": { params: ImageFile; result: TaskId };
  /** Into the trash, or for good. */
  "image.remove": { params: ImageRemove; result: Removed };
  /** What was removed and is still there, latest first. */
  "trash.list": { params: TrashList; result: Array<TrashItem> };
  /** Each thing is kept for "What I clicked", here and below. */
  "trash.restore": { params: TrashRef; result: TrashOutcome };
  /** For good. */
  "trash.delete": { params: TrashRef; result: TrashOutcome };
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
  /** Whether the engine of Wherry's own machine may ask it without encryption; in effect when this returns. */
  "registry.insecure": { params: RegistryInsecure; result: null };
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
  "file.list": { params: FileRef; result: FileList };
  "file.get": { params: FileRef; result: FileContent };
  "file.save": { params: FileSave; result: FileContent };
  /** Makes a folder. */
  "file.folder": { params: FileNew; result: null };
  "file.delete": { params: FileRef; result: null };
  "file.rename": { params: FileRename; result: null };
  /** What a download of it is called: a folder, or a link to one, is a tar. */
  "file.saved_name": { params: FileRef; result: string };
  /** A file as it is, a folder as a tar, where the person chose or into their downloads. */
  "file.download": { params: FileDownload; result: Saved };
  /** What a terminal in this container can be: its shells, its users, whether it has a terminal itself. */
  "terminal.choices": { params: ContainerRef; result: Shells };
  /** Those of a container, in the order in which they were opened. */
  "terminal.list": { params: ContainerRef; result: Array<Terminal> };
  "terminal.open": { params: TerminalOpen; result: Terminal };
  /** Ends what runs in it. */
  "terminal.close": { params: TerminalRef; result: null };
  /** The command that equals this. */
  "terminal.command": { params: TerminalOpen; result: CommandLine };
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
  "app.events": { params: null; result: Event; input: never };
  /** Lines are kept by the app until the page lets go; what it wants to see of them is said into it. */
  "container.log": { params: LogOpen; result: LogNews; input: LogWish };
  /** What it uses, every two seconds while it runs. */
  "container.stats": { params: ContainerRef; result: ContainerLoad; input: never };
  /** What all running containers use, every two seconds while any run. */
  "engine.load": { params: null; result: EngineLoad; input: never };
  /** Tells how much has been taken, and ends when the file is there. */
  "file.upload": { params: FileUpload; result: UploadProgress; input: UploadPiece };
  /** First what is kept of what it has shown. Ends when what runs in it has ended. */
  "terminal.session": { params: TerminalRef; result: TerminalOutput; input: TerminalInput };
}
