//! Every command and every stream, said once.
//!
//! From this list come the dispatcher (used by the window and by the browser server alike) and the TypeScript
//! types. A command without a handler in `commands/` does not compile.

use wherry_engine::{
    BackupManifest, CommandLine, ContainerHistory, ContainerLoad, ContainerSummary, EngineHistory, EngineLoad,
    EnvFileView, FileContent, FileDifferences, FileList, FoundImage, Greeting, Happening, ImageDetail, ImageSize,
    ImageStep, ImageSummary, LayerFiles, LineChange, LogNews, LogOpen, LogWish, MadeOf, Pasted, Processes, RareChoice,
    ReclaimRequest, Reclaimable, Reclaimed, RemoteTag, Shells, TrashItem, Why, WhyLine,
};
use wherry_machine::{Freed, Settings as MachineSettings, SettingsChange as MachineSettingsChange, SpecChange, Status};

use crate::clicked::{self, Clicked, ClickedSave, ClickedScript, Script};
use crate::macros::{commands, streams};
use crate::newer::{ImagesSeen, Newness};
use crate::preflight::Preflight;
use crate::{
    About, BackupMake, BackupRef, BackupRestore, BackupSuggestion, BeforePull, Bundle, ClickedForget, ContainerAct,
    ContainerExport, ContainerList, ContainerRef, ContainerRefs, ContainerRemove, Cost, DiagnoseRequest, DockerSetup,
    DoctorRequest, EngineCandidate, EngineChoice, EngineStatus, EnvFileRef, Event, Examination, FileDownload, FileNew,
    FileRef, FileRename, FileSave, FileUpload, FolderRef, ImageFile, ImagePair, ImageQuery, ImageRef, ImageRemove,
    ImageSave, ImageTag, LogSave, MachineErase, MadeOfRequest, PortAnswer, PortLamps, PortQuestion, ProcessSignal,
    PullQuestion, RawJson, RecreateRequest, RegistryEntry, RegistryInsecure, RegistryList, RegistryLogin, RegistryLook,
    RegistryRef, RemoteTags, Removed, RunAsText, RunPaste, RunRequest, RunText, Saved, Settings, SpecPair, TagNames,
    TagsRequest, Task, TaskId, TaskRef, Terminal, TerminalInput, TerminalOpen, TerminalOutput, TerminalRef, TrashList,
    TrashOutcome, TrashRef, UploadPiece, UploadProgress,
};

commands! {
    app {
        about() -> About;
        /// Looks at everything between the person and a container that runs; changes nothing.
        doctor(DoctorRequest) -> Examination;
        /// Writes a zip for somebody who helps, without secrets; it is sent nowhere.
        diagnose(DiagnoseRequest) -> Bundle;
    }
    engine {
        /// The engine in use, connected or not.
        status() -> EngineStatus;
        /// Every engine this computer has, asked now.
        candidates() -> Vec<EngineCandidate>;
        choose(EngineChoice) -> EngineStatus;
        /// The engine of Wherry's own machine takes over what has changed on this computer. Containers go on.
        restart() -> Status;
        cost() -> Cost;
        /// What all containers used in the last hour, and each of them in a line.
        history() -> EngineHistory;
        /// What happened lately, latest first.
        happenings() -> Vec<Happening>;
        /// What nobody uses, by name and size; removes nothing.
        reclaimable() -> Reclaimable;
        /// Removes exactly what is named, and says what it could not.
        reclaim(ReclaimRequest) -> Reclaimed as clicked::reclaim;
    }
    docker {
        /// What the docker command in a terminal talks to.
        setup() -> DockerSetup;
        /// Points it to Wherry's own machine.
        select() -> DockerSetup;
        /// Takes credential helpers that are not installed out of its configuration.
        mend() -> DockerSetup;
        /// Links `/var/run/docker.sock` to Wherry's own machine. The system may ask for a password.
        link() -> DockerSetup;
        /// Takes all of that back.
        undo() -> DockerSetup;
    }
    machine {
        status() -> Status;
        /// Returns when the engine answers, or fails; progress comes as events.
        start(SpecChange) -> Status;
        stop() -> ();
        restart() -> Status;
        /// Containers stand still until the next start; where that cannot be, they are stopped.
        suspend() -> Status;
        /// Takes back memory and disk that the machine holds and does not need; some seconds.
        free() -> Freed;
        /// What the person decided about the machine beside its size; in effect at once.
        settings() -> MachineSettings;
        configure(MachineSettingsChange) -> MachineSettings;
        /// Stops it and removes its data disk, with every image, container and volume in it.
        erase(MachineErase) -> ();
    }
    container {
        /// Containers of the engine, newest first.
        list(ContainerList) -> Vec<ContainerSummary>;
        get(ContainerRef) -> ContainerSummary;
        start(ContainerRef) -> () as clicked::start;
        stop(ContainerRef) -> () as clicked::stop;
        restart(ContainerRef) -> () as clicked::restart;
        /// Stops it with a time, kills, pauses, renames, commits, changes its limits.
        act(ContainerAct) -> () as clicked::act;
        /// The command that equals that.
        line(ContainerAct) -> CommandLine;
        /// Everything the engine says of it.
        inspect(ContainerRef) -> RawJson;
        /// Each port from both ends: who listens, whether it is forwarded, whether it answers.
        ports(ContainerRef) -> Vec<PortLamps>;
        processes(ContainerRef) -> Processes;
        signal(ProcessSignal) -> () as clicked::signal;
        /// All its files as one tar, where the person chose or into their downloads.
        export(ContainerExport) -> Saved as clicked::export;
        /// Into the trash, or for good.
        remove(ContainerRemove) -> Removed as clicked::remove;
        /// What it used in the last hour.
        history(ContainerRef) -> ContainerHistory;
        /// Why it stopped, does not start or is not reached; null when there is nothing to tell.
        why(ContainerRef) -> Option<Why>;
        /// The same in a few words, for those of these that have a story.
        why_lines(ContainerRefs) -> Vec<WhyLine>;
        /// All of it where the person chose or into their downloads, as text with times.
        save_log(LogSave) -> Saved;
        /// Pulls the image when it is missing, creates, starts. The task's outcome names the container.
        run(RunRequest) -> TaskId as clicked::run;
        /// What made a container, for the run form.
        made_of(MadeOfRequest) -> MadeOf;
        /// What two specs do differently.
        changes(SpecPair) -> Vec<LineChange>;
        /// Makes it anew in place of the one that is there, which stays until the new one runs. Each step is kept for
        /// "What I clicked".
        recreate(RecreateRequest) -> TaskId;
        /// What can be known before it is tried; ports have a question of their own.
        preflight(RunRequest) -> Preflight;
        /// The `docker run` line and the compose file that equal this spec.
        command(RunAsText) -> RunText;
        /// The spec that equals a `docker run` line; what cannot be taken over is named.
        paste(RunPaste) -> Pasted;
        /// Flags of `docker run` that have no field of their own in a spec.
        rare_flags() -> Vec<RareChoice>;
    }
    clicked {
        /// Every action with its command, newest first.
        list() -> Vec<Clicked>;
        script(ClickedScript) -> Script;
        /// Writes it where the person chose or into their downloads.
        save(ClickedSave) -> Saved;
        forget(ClickedForget) -> ();
    }
    folder {
        /// Makes an empty one, with the folders above it.
        make(FolderRef) -> ();
    }
    env {
        /// What `docker run` and compose would read from a file of variables.
        look(EnvFileRef) -> EnvFileView;
    }
    image {
        list() -> Vec<ImageSummary>;
        get(ImageRef) -> ImageDetail;
        /// How it was built, the first step first.
        history(ImageRef) -> Vec<ImageStep>;
        /// What each layer brought and took away. The engine writes out all of the image for this.
        files(ImageRef) -> Vec<LayerFiles>;
        /// Which files two images do not have alike. The engine writes out both for this.
        compare(ImagePair) -> FileDifferences;
        /// Whether registries have newer ones of these names: asked a few at a time, and remembered.
        newness(ImagesSeen) -> Vec<Newness>;
        /// What takes the engine a while to say.
        sizes() -> Vec<ImageSize>;
        /// In Docker Hub.
        search(ImageQuery) -> Vec<FoundImage>;
        tags(TagsRequest) -> RemoteTags;
        /// Size, age and platforms of tags, where their list does not say them.
        tag_details(TagNames) -> Vec<RemoteTag>;
        /// What a pull would bring and cost; pulls nothing.
        before_pull(PullQuestion) -> BeforePull;
        pull(ImageRef) -> TaskId as clicked::pull;
        push(ImageRef) -> TaskId as clicked::push;
        /// One more name for an image.
        tag(ImageTag) -> () as clicked::tag;
        /// Into a tar that every engine can load.
        save(ImageSave) -> TaskId as clicked::save_images;
        load(ImageFile) -> TaskId as clicked::load;
        /// Into the trash, or for good.
        remove(ImageRemove) -> Removed as clicked::remove_image;
    }
    trash {
        /// What was removed and is still there, latest first.
        list(TrashList) -> Vec<TrashItem>;
        /// Each thing is kept for "What I clicked", here and below.
        restore(TrashRef) -> TrashOutcome;
        /// For good.
        delete(TrashRef) -> TrashOutcome;
    }
    registry {
        /// Those with a login, those that were added, and Docker Hub. Nobody is asked for it but credential helpers.
        list() -> RegistryList;
        /// What is there, and where a login could be kept.
        look(RegistryRef) -> RegistryLook;
        /// Asks with the login that is kept.
        check(RegistryRef) -> Greeting;
        /// Tries the login, and keeps it when the registry accepts it.
        login(RegistryLogin) -> Greeting as clicked::login;
        logout(RegistryRef) -> () as clicked::logout;
        /// Lists it, also without a login.
        add(RegistryRef) -> RegistryEntry;
        remove(RegistryRef) -> ();
        /// Whether the engine of Wherry's own machine may ask it without encryption; in effect when this returns.
        insecure(RegistryInsecure) -> ();
    }
    backup {
        suggest() -> BackupSuggestion;
        /// What a file holds, from its table of contents.
        contents(BackupRef) -> BackupManifest;
        /// Everything of the engine in use into one file.
        make(BackupMake) -> TaskId;
        /// Reads all of a file; a failed task says what is wrong with it.
        verify(BackupRef) -> TaskId;
        /// Everything of a file into the engine in use.
        restore(BackupRestore) -> TaskId;
    }
    port {
        /// Is it free on this computer, who holds it, what is the next free one.
        check(PortQuestion) -> PortAnswer;
    }
    file {
        list(FileRef) -> FileList;
        get(FileRef) -> FileContent;
        save(FileSave) -> FileContent as clicked::save_file;
        /// Makes a folder.
        folder(FileNew) -> () as clicked::make_folder;
        delete(FileRef) -> () as clicked::delete_file;
        rename(FileRename) -> () as clicked::rename_file;
        /// What a download of it is called: a folder, or a link to one, is a tar.
        saved_name(FileRef) -> String;
        /// A file as it is, a folder as a tar, where the person chose or into their downloads.
        download(FileDownload) -> Saved as clicked::download;
    }
    terminal {
        /// What a terminal in this container can be: its shells, its users, whether it has a terminal itself.
        choices(ContainerRef) -> Shells;
        /// Those of a container, in the order in which they were opened.
        list(ContainerRef) -> Vec<Terminal>;
        open(TerminalOpen) -> Terminal;
        /// Ends what runs in it.
        close(TerminalRef) -> ();
        /// The command that equals this.
        command(TerminalOpen) -> CommandLine;
    }
    task {
        list() -> Vec<Task>;
        cancel(TaskRef) -> ();
        /// Forgets a task that has ended.
        dismiss(TaskRef) -> ();
    }
    settings {
        get() -> Settings;
        set(Settings) -> Settings;
        /// Wherry's and the machine's as they were at first. Nothing in an engine is touched.
        reset() -> Settings;
    }
}

streams! {
    app {
        events() -> Event;
    }
    container {
        /// Lines are kept by the app until the page lets go; what it wants to see of them is said into it.
        log(LogOpen) -> LogNews, takes LogWish;
        /// What it uses, every two seconds while it runs.
        stats(ContainerRef) -> ContainerLoad;
    }
    engine {
        /// What all running containers use, every two seconds while any run.
        load() -> EngineLoad;
    }
    file {
        /// Tells how much has been taken, and ends when the file is there.
        upload(FileUpload) -> UploadProgress, takes UploadPiece;
    }
    terminal {
        /// First what is kept of what it has shown. Ends when what runs in it has ended.
        session(TerminalRef) -> TerminalOutput, takes TerminalInput;
    }
}
