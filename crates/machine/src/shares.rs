//! The folders of this computer that the machine has: which they are, and the connection to the process that serves
//! them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use wherry_link::{Binds, Change, FilesAnswer, FilesView, Folder, HostRequest, RefusedFolder, Session, Source};

use crate::backend::{FilesLaunch, Folders};
use crate::process::Process;
use crate::{Failure, FailureCode, Home, control, settings, system};

/// How long the file server may take to listen, and to do what it is asked for.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two attempts to reach one that was just started. It listens some 10 ms after its start.
const LISTEN_PAUSE: Duration = Duration::from_millis(5);
/// How long a keeper may take to hand over what it knows.
const HEIR: Duration = Duration::from_secs(2);
/// How long the guest may take to put folders in their places.
const SHARE: Duration = Duration::from_secs(20);

/// Changes of files that wait for the guest. Their sender is not kept waiting: it serves files meanwhile.
const CHANGES: usize = 256;

/// Each folder that the machine's own process serves is a device, and a machine has room for some thirty in all.
const MOST_DEVICES: usize = 16;

/// What a machine has before the person decided anything: their home.
pub(crate) fn usual() -> Vec<PathBuf> {
    let home = etcetera::home_dir().ok().filter(|home| Folder::has_place_at(home));
    home.into_iter().collect()
}

/// Where the machine has its own system: what a container is given of there is never this computer's.
pub fn is_machines_own(path: &Path) -> bool {
    !Folder::has_place_at(path)
}

/// The path under which this folder can be shared, or why it cannot.
pub(crate) fn check(home: &Home, path: &Path) -> Result<PathBuf, Failure> {
    let refused = |cause: String, hint: &str| Failure {
        code: FailureCode::FolderRefused,
        step: None,
        message: format!("{} cannot be shared with the machine", path.display()),
        causes: vec![cause],
        hint: hint.into(),
        console: Vec::new(),
    };
    // Without a dot or a slash too many: it is compared with others.
    let path: PathBuf = path.components().collect();
    if !path.is_absolute() {
        return Err(refused(
            "It is not a path from the root of the file system.".into(),
            "Give the whole path.",
        ));
    }
    match fs_err::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(refused("It is not a folder.".into(), "Share the folder that it is in."));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(refused(
                "There is nothing at this path.".into(),
                "Make the folder first, or see whether its name is right.",
            ));
        }
        Err(error) => {
            return Err(refused(
                error.to_string(),
                "Make the folder first, or see whether its name is right.",
            ));
        }
    }
    let hint = "Move what containers need to a folder of its own, and share that.";
    if is_machines_own(&path) {
        let cause = "The machine has its own system at this path, and a folder is shared at the path that it has here.";
        return Err(refused(cause.into(), hint));
    }
    let real = fs_err::canonicalize(&path).map_err(|error| refused(error.to_string(), ""))?;
    if hidden(home).iter().any(|hidden| real.starts_with(hidden)) {
        let cause = "Wherry keeps the machine itself there, which no container may reach.";
        return Err(refused(cause.into(), hint));
    }
    Ok(path)
}

pub(crate) fn is_not_shared(path: &Path, folders: &[PathBuf]) -> Failure {
    let shared: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Failure {
        code: FailureCode::FolderRefused,
        step: None,
        message: format!("{} is not shared with the machine", path.display()),
        causes: vec![match shared.as_slice() {
            [] => "No folder is.".into(),
            shared => format!("These are: {}.", shared.join(", ")),
        }],
        hint: "A folder below a shared one is shared with it, and cannot be taken out.".into(),
        console: Vec::new(),
    }
}

/// What the person is told when there is no server any more before its machine ends, and the machine is not restarted
/// for that.
pub(crate) const GONE: &str = "The server of the shared folders has ended, and containers that use them wait for it. \
                               Restart the machine.";

/// The same, while the machine is restarted for that.
pub(crate) const MENDING: &str = "The server of the shared folders was killed, with everything that starts it again, and \
                                  containers that use those folders wait for it. Only a restart of the machine helps; \
                                  it is being restarted, and the containers that ran are started again.";

/// The same, when it was.
pub(crate) const MENDED: &str = "The machine was restarted because the server of the shared folders was killed, with \
                                 everything that starts it again. The containers that ran were started again.";

/// What the person is told when servers die one after another.
pub(crate) const GIVEN_UP: &str = "The server of the shared folders broke off several times. Containers find errors in \
                                   their folders. It is started once more in a minute; if that does not help, restart \
                                   the machine.";

/// What the person is told when a server has died and another one serves in its place.
pub(crate) const ANEW: &str = "The server of the shared folders broke off and was started again. Containers go on with \
                               what they had open; restart one that finds errors in its folder.";

/// What the person is told of a machine that has the folders another way than it should; why comes after it.
pub(crate) const BY_ITSELF: &str = "The server of the shared folders did not start, so that QEMU itself shares them: \
                                    containers are not told of changes on this computer.";

/// Says this of the file server, and nothing else.
pub(crate) fn note(notes: &mut Vec<String>, note: &str) {
    notes.retain(|before| ![GONE, MENDING, MENDED, GIVEN_UP, ANEW].contains(&before.as_str()));
    notes.push(note.into());
}

/// A connection to the file server; it serves on when this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    asked: mpsc::Sender<Ask>,
    /// What it serves now. Held while that changes, so that of two changes the later one stays.
    served: Arc<tokio::sync::Mutex<Served>>,
    /// The server has ended.
    gone: CancellationToken,
    /// It serves nothing.
    given_up: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Served {
    view: FilesView,
    /// By their paths in the guest, with those in the view.
    folders: Vec<(PathBuf, PathBuf)>,
    /// The guest's paths that running containers have.
    binds: Vec<PathBuf>,
}

impl Served {
    /// Has the server show the folders of the settings. Returned are those that it shows, and sentences about others.
    async fn show(&mut self, home: &Home, settings: &settings::Store, files: &Files) -> (Vec<Folder>, Vec<String>) {
        let (mut shared, mut notes) = (Vec::new(), Vec::new());
        let folders = settings.get().folders;
        for folder in &folders {
            match fs_err::canonicalize(folder) {
                Ok(source) => shared.push((folder.clone(), source)),
                Err(error) => notes.push(not_shared(folder, &error.to_string())),
            }
        }
        self.folders.clone_from(&shared);
        self.view = FilesView {
            folders: shared.iter().map(|(_, source)| source.clone()).collect(),
            hidden: hidden(home),
            watched: self.watched(),
            raiser: self.view.raiser,
        };
        match files.show(self.view.clone()).await {
            Ok(refused) => {
                shared.retain(|(_, source)| refused.iter().all(|refused| refused.path != *source));
                notes.extend(refused.iter().map(|refused| not_shared(&refused.path, &refused.why)));
            }
            Err(error) => {
                notes.extend(folders.iter().map(|folder| not_shared(folder, &error.to_string())));
                shared.clear();
            }
        }
        let folder = |(path, source)| Folder {
            path,
            source: Source::Server { path: source },
        };
        (shared.into_iter().map(folder).collect(), notes)
    }

    /// Where in what the server shows the containers' paths are.
    fn watched(&self) -> Vec<PathBuf> {
        let source = |bind: &PathBuf| {
            self.folders.iter().find_map(|(path, source)| {
                let below = bind.strip_prefix(path).ok()?;
                Some(source.join(below).components().collect())
            })
        };
        self.binds.iter().filter_map(source).collect()
    }
}

/// What the server says by itself.
#[derive(Debug)]
pub(crate) enum Said {
    Changed(Vec<Change>),
    Crowded,
}

struct Ask {
    view: FilesView,
    answer: oneshot::Sender<Vec<RefusedFolder>>,
}

impl Files {
    /// Connects to the server, which may be on its way. What changes in watched folders is told to the receiver.
    pub(crate) async fn connect(control: &Path) -> io::Result<(Self, mpsc::Receiver<Said>)> {
        let until = Instant::now() + ANSWER;
        let stream = loop {
            match system::connect(control).await {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= until => return Err(error),
                Err(_) => tokio::time::sleep(LISTEN_PAUSE).await,
            }
        };
        let (asked, asks) = mpsc::channel(4);
        let (told, said) = mpsc::channel(CHANGES);
        let files = Self {
            asked,
            served: Arc::default(),
            gone: CancellationToken::new(),
            given_up: Arc::default(),
        };
        let (ended, given_up) = (files.gone.clone(), Arc::clone(&files.given_up));
        tokio::spawn(async move {
            if let Err(error) = converse(stream, asks, told, ended, &given_up).await {
                tracing::warn!(%error, "the file server is gone");
            }
        });
        Ok((files, said))
    }

    /// Whether it has refused to serve anything.
    pub(crate) fn have_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Returns when the server has ended, with its machine or before it.
    pub(crate) async fn ended(&self) {
        self.gone.cancelled().await;
    }

    /// Shows these folders from now on; says which of them cannot be shown.
    async fn show(&self, view: FilesView) -> io::Result<Vec<RefusedFolder>> {
        let gone = || io::Error::other("the file server is gone");
        let (answer, refused) = oneshot::channel();
        self.asked.send(Ask { view, answer }).await.map_err(|_| gone())?;
        match timeout(ANSWER, refused).await {
            Ok(refused) => refused.map_err(|_| gone()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn converse(
    stream: system::Stream,
    mut asks: mpsc::Receiver<Ask>,
    told: mpsc::Sender<Said>,
    ended: CancellationToken,
    given_up: &AtomicBool,
) -> io::Result<()> {
    let (answers, mut requests) = tokio::io::split(stream);
    let mut answers = BufReader::new(answers);
    // Read by a task of its own: a line that is half read must not be given up for a request.
    let (read, mut answered) = mpsc::channel(4);
    let reader = tokio::spawn(async move {
        // It ends with the server, or because nobody here needs it any more and thus nobody waits for its end.
        let _ended = ended.drop_guard();
        while let Some(answer) = control::read::<FilesAnswer>(&mut answers).await? {
            match answer {
                FilesAnswer::Served { refused } => {
                    if read.send(Some(refused)).await.is_err() {
                        break;
                    }
                }
                FilesAnswer::GivenUp => {
                    if read.send(None).await.is_err() {
                        break;
                    }
                }
                // Nobody listens to what is said of a machine that is gone.
                FilesAnswer::Changed { changes } => drop(told.send(Said::Changed(changes)).await),
                FilesAnswer::Crowded => drop(told.send(Said::Crowded).await),
            }
        }
        Ok(())
    });
    while let Some(Ask { view, answer }) = asks.recv().await {
        control::write(&mut requests, &view).await?;
        match answered.recv().await {
            Some(Some(refused)) => drop(answer.send(refused)),
            // Whoever waits for the answer gets none.
            Some(None) => given_up.store(true, Ordering::Release),
            None => break,
        }
    }
    reader.abort();
    match reader.await {
        Ok(ended) => ended,
        Err(_) => Ok(()),
    }
}

/// Has the server show the folders of the settings, and tells no guest.
pub(crate) async fn show(home: &Home, settings: &settings::Store, files: &Files) {
    let (_, notes) = files.served.lock().await.show(home, settings, files).await;
    if !notes.is_empty() {
        tracing::warn!(?notes, "not every folder is there");
    }
}

/// Gives the guest the folders of the settings, whole: from the file server, or those that the machine's own process
/// serves. What is said back are sentences for the person about those it did not get.
pub(crate) async fn share(
    home: &Home,
    settings: &settings::Store,
    files: Option<&Files>,
    own: Option<&[PathBuf]>,
    session: &Session,
) -> Vec<String> {
    match own {
        Some(own) => {
            let (shared, mut notes) = find_own(home, &settings.get().folders, own);
            notes.extend(tell(session, shared, false).await);
            notes
        }
        None => give(home, settings, files, session, false).await,
    }
}

/// The folders of the settings for a machine whose own process serves them, without symbolic links in their paths.
pub(crate) fn sources(home: &Home, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut sources: Vec<PathBuf> = folders
        .iter()
        .filter_map(|path| fs_err::canonicalize(path).ok())
        .collect();
    let hidden = hidden(home);
    sources.retain(|source| source.is_dir() && !hidden.iter().any(|hidden| source.starts_with(hidden)));
    sources.truncate(MOST_DEVICES);
    sources
}

/// What the guest is to have of these, and sentences about those that it cannot have.
fn find_own(home: &Home, folders: &[PathBuf], own: &[PathBuf]) -> (Vec<Folder>, Vec<String>) {
    let (mut shared, mut notes) = (Vec::new(), Vec::new());
    let hidden = hidden(home);
    for path in folders {
        let source = match fs_err::canonicalize(path) {
            Ok(source) => source,
            Err(error) => {
                notes.push(not_shared(path, &error.to_string()));
                continue;
            }
        };
        let Some(index) = own.iter().position(|own| *own == source) else {
            notes.push(not_yet_shared(path));
            continue;
        };
        let below = hidden.iter().filter_map(|hidden| hidden.strip_prefix(&source).ok());
        let hidden = below.map(Path::to_owned).collect();
        let tag = Folders::tag(index);
        shared.push(Folder {
            path: path.clone(),
            source: Source::Device { tag, hidden },
        });
    }
    (shared, notes)
}

/// Connects to the server that has taken over from the one that died, and has the guest find the folders anew. None when
/// there is no such server, and no keeper that would start it: this one, or one that is there already.
pub(crate) async fn share_anew(
    home: &Home,
    settings: &settings::Store,
    session: &Session,
    keeper: Option<&Process>,
) -> Option<(Files, Vec<String>)> {
    let control = home.files_control();
    let (files, said) = match keeper {
        // It does not have its turn from the beginning.
        Some(keeper) => tokio::select! {
            connected = Files::connect(&control) => connected.ok()?,
            () = keeper.ended() => return None,
        },
        None => find(home).await?,
    };
    let notes = give(home, settings, Some(&files), session, true).await;
    follow(&files, said, session);
    Some((files, notes))
}

/// The server of a machine that runs, which may be the next one on its way. None when there is none any more.
pub(crate) async fn find(home: &Home) -> Option<(Files, mpsc::Receiver<Said>)> {
    let control = home.files_control();
    tokio::select! {
        connected = Files::connect(&control) => connected.ok(),
        () = until_given_up(home) => None,
    }
}

/// Returns when no process is left that would start another server.
async fn until_given_up(home: &Home) {
    while is_kept(home) {
        tokio::time::sleep(LISTEN_PAUSE).await;
    }
}

/// Whether somebody has the turn that keepers of files and their spares have.
pub(crate) fn is_kept(home: &Home) -> bool {
    let tried = std::fs::File::open(home.files_turn()).map(|turn| turn.try_lock_shared());
    matches!(tried, Ok(Err(std::fs::TryLockError::WouldBlock)))
}

/// What a keeper of files has handed to the daemon: all that another one needs when it is killed together with its
/// spare. It stands in the connection, and is read by nobody before.
#[derive(Debug, Default)]
pub(crate) struct Estate(Option<system::Stream>);

impl Estate {
    /// That of the keeper that is there now.
    pub(crate) async fn renew(&mut self, home: &Home) {
        // One that has just taken over listens here after its server does.
        let connected = timeout(HEIR, async {
            loop {
                match system::connect(&home.files_heir()).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::time::sleep(LISTEN_PAUSE).await,
                }
            }
        });
        if let Ok(stream) = connected.await {
            self.0 = Some(stream);
        } else {
            tracing::debug!("the keeper of the files hands nothing over");
        }
    }

    /// Starts another keeper with it, if there is anything to start one with.
    pub(crate) fn pass_on(&mut self, home: &Home, launch: &FilesLaunch) -> Option<Process> {
        let stream = self.0.take()?;
        let started = system::as_input(stream).and_then(|input| {
            let arguments = [&launch.arguments[..], &["--spare".into()]].concat();
            let (program, log, makes) = (&launch.program, home.files_log(), system::Makes::Anything);
            Process::spawn_with(input, program, &arguments, &log, makes)
        });
        match started {
            Ok(process) => {
                // It ends with the machine, when nobody asks after it any more, and has to be reaped.
                let watched = process.clone();
                tokio::spawn(async move { watched.ended().await });
                Some(process)
            }
            Err(error) => {
                tracing::error!(%error, "no keeper of files could be started");
                None
            }
        }
    }
}

/// Passes on what the server says to the guest and the other way round, for as long as both are there.
pub(crate) fn follow(files: &Files, said: mpsc::Receiver<Said>, session: &Session) {
    tokio::spawn(listen(said, session.clone()));
    tokio::spawn(follow_binds(files.clone(), session.clone()));
}

async fn give(
    home: &Home,
    settings: &settings::Store,
    files: Option<&Files>,
    session: &Session,
    anew: bool,
) -> Vec<String> {
    let served = files.map(|files| Arc::clone(&files.served));
    let mut served = match &served {
        Some(served) => Some(served.lock().await),
        None => None,
    };
    let (shared, mut notes) = match (files, &mut served) {
        (Some(files), Some(served)) => served.show(home, settings, files).await,
        (None, _) | (_, None) => Default::default(),
    };
    notes.extend(tell(session, shared, anew).await);
    notes
}

/// Said even when there are none: the guest waits for it before it starts the engine.
async fn tell(session: &Session, folders: Vec<Folder>, anew: bool) -> Option<String> {
    match timeout(SHARE, session.ask::<_, ()>(&HostRequest::Share { folders, anew })).await {
        Ok(Ok(_)) => None,
        Ok(Err(wherry_link::Error::Refused { message })) => Some(message),
        Ok(Err(error)) => Some(format!("The machine did not take the shared folders: {error}")),
        Err(_) => Some("The machine did not take the shared folders in time.".into()),
    }
}

/// The settings have changed, and the machine that runs has nothing to share folders with.
pub(crate) fn not_now() -> Failure {
    Failure {
        code: FailureCode::FolderRefused,
        step: None,
        message: "The machine that runs cannot share folders".into(),
        causes: vec![if system::SERVES_FILES {
            "The server of the shared folders does not run, and this QEMU cannot share them itself.".into()
        } else {
            "This QEMU cannot share folders.".into()
        }],
        hint: if system::SERVES_FILES {
            "Restart the machine.".into()
        } else {
            "Install a QEMU that has virtio-9p, where there is one.".into()
        },
        console: Vec::new(),
    }
}

/// The settings have changed, and the machine that runs did not get all that they name; with folders of its own
/// process it does when it starts again.
pub(crate) fn not_all(message: &str, causes: &[String], own: bool) -> Failure {
    Failure {
        code: FailureCode::FolderRefused,
        step: None,
        message: message.into(),
        causes: causes.to_vec(),
        hint: if own {
            "Restart the machine.".into()
        } else {
            "See whether the folder is there, or take it out of the shared folders.".into()
        },
        console: Vec::new(),
    }
}

/// Passes on what the server says, for as long as both it and the guest are there.
async fn listen(mut said: mpsc::Receiver<Said>, session: Session) {
    while let Some(first) = said.recv().await {
        let mut changes = Vec::new();
        let mut crowded = false;
        let mut next = Some(first);
        while let Some(said_now) = next {
            match said_now {
                Said::Changed(more) => changes.extend(more),
                Said::Crowded => crowded = true,
            }
            next = said.try_recv().ok();
        }
        let mut requests = Vec::new();
        if crowded {
            requests.push(HostRequest::ForgetFiles);
        }
        if !changes.is_empty() {
            requests.push(HostRequest::Changed { changes });
        }
        for request in requests {
            if let Ok(Err(error)) = timeout(SHARE, session.ask::<_, ()>(&request)).await {
                tracing::debug!(%error, "the guest was not told");
            }
        }
    }
}

/// Lets the server watch what containers have, for as long as the guest is there.
async fn follow_binds(files: Files, session: Session) {
    let mut stream = match session.ask::<_, ()>(&HostRequest::Binds).await {
        Ok(((), stream)) => stream,
        Err(error) => return tracing::warn!(%error, "containers are not told of changes on this computer"),
    };
    while let Ok(Some(binds)) = stream.read_message::<Binds>().await {
        let mut served = files.served.lock().await;
        served.binds = binds.paths;
        served.view.raiser = Some(binds.raiser);
        served.view.watched = served.watched();
        if let Err(error) = files.show(served.view.clone()).await {
            return tracing::warn!(%error, "containers are not told of changes on this computer");
        }
    }
}

/// What the person is told of a folder that a machine whose own process serves folders did not have at its start.
fn not_yet_shared(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "The folder {folder} is shared when the machine starts the next time: QEMU takes folders only then, and \
         {MOST_DEVICES} at most."
    )
}

fn not_shared(folder: &Path, why: &str) -> String {
    format!("The folder {} is not shared with the machine: {why}", folder.display())
}

/// What no container may reach although it lies below a shared folder: the engine's and the daemon's sockets, the data
/// disk.
fn hidden(home: &Home) -> Vec<PathBuf> {
    let sockets = [home.control(), home.socket()];
    let mut folders = vec![home.root().to_owned()];
    folders.extend(sockets.iter().filter_map(|socket| socket.parent().map(Path::to_owned)));
    folders.retain(|folder| folder == home.root() || !folder.starts_with(home.root()));
    folders.dedup();
    let real = |folder: PathBuf| fs_err::canonicalize(&folder).unwrap_or(folder);
    folders.into_iter().map(real).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_serves_folders_itself_gives_those_that_it_started_with() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let person = fs_err::canonicalize(folder.path())?;
        let home = Home::at(person.join("data/wherry"));
        home.create()?;
        let (work, link) = (person.join("work"), person.join("link"));
        fs_err::create_dir(&work)?;
        std::os::unix::fs::symlink(&work, &link)?;
        let gone = person.join("gone");
        let folders = [home.root().join("machine"), gone.clone(), person.clone(), link.clone()];
        let own = sources(&home, &folders);
        assert_eq!(own, [person.clone(), work.clone()], "what is hidden is no device");

        let wanted = [work.clone(), link.clone(), person.clone(), "/usr".into()];
        let (shared, notes) = find_own(&home, &wanted, &own);
        let device = |path: &Path, tag: &str, hidden: &[&str]| Folder {
            path: path.into(),
            source: Source::Device {
                tag: tag.into(),
                hidden: hidden.iter().map(PathBuf::from).collect(),
            },
        };
        assert_eq!(
            shared,
            [
                device(&work, "folder1", &[]),
                device(&link, "folder1", &[]),
                device(&person, "folder0", &["data/wherry"]),
            ]
        );
        assert_eq!(notes, [not_yet_shared(Path::new("/usr"))]);
        Ok(())
    }

    #[tokio::test]
    async fn that_nobody_is_left_to_start_a_server_is_noticed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        assert!(!is_kept(&home), "nobody has ever been there");
        let keeper = fs_err::File::create(home.files_turn())?;
        keeper.file().lock()?;
        let spare = keeper.try_clone()?;
        drop(keeper);
        assert!(is_kept(&home), "a spare is left");
        drop(spare);
        timeout(ANSWER, until_given_up(&home)).await.map_err(io::Error::from)
    }

    #[tokio::test]
    async fn the_servers_end_is_noticed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let control = folder.path().join("control.sock");
        let server = tokio::net::UnixListener::bind(&control)?;
        let (files, _said) = Files::connect(&control).await?;
        let (connection, _) = server.accept().await?;
        assert!(!files.gone.is_cancelled(), "it serves");
        drop(connection);
        timeout(ANSWER, files.ended()).await.map_err(io::Error::from)
    }

    #[tokio::test]
    async fn a_server_that_refuses_everything_is_not_waited_for() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let control = folder.path().join("control.sock");
        let server = tokio::net::UnixListener::bind(&control)?;
        let (files, _said) = Files::connect(&control).await?;
        let (connection, _) = server.accept().await?;
        let (asked, mut answers) = connection.into_split();
        tokio::spawn(async move {
            let mut asked = BufReader::new(asked);
            while let Some(_view) = control::read::<FilesView>(&mut asked).await? {
                control::write(&mut answers, &FilesAnswer::GivenUp).await?;
            }
            Ok::<(), io::Error>(())
        });
        for _ in 0..2 {
            assert!(files.show(FilesView::default()).await.is_err());
        }
        assert!(files.have_given_up());
        assert!(!files.gone.is_cancelled(), "it is there, and another one follows");
        Ok(())
    }

    #[tokio::test]
    async fn a_new_keeper_is_given_what_the_one_before_has_said() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        let launch = FilesLaunch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "cat; echo; echo \"$0\"".into()],
            control: home.files_control(),
        };
        let mut estate = Estate::default();
        assert!(estate.pass_on(&home, &launch).is_none(), "nobody has said anything");
        let keeper = tokio::net::UnixListener::bind(home.files_heir())?;
        estate.renew(&home).await;
        let (mut said, _) = keeper.accept().await?;
        tokio::io::AsyncWriteExt::write_all(&mut said, b"all of it").await?;
        drop(said);
        let process = estate.pass_on(&home, &launch).ok_or(io::ErrorKind::NotFound)?;
        process.ended().await;
        assert_eq!(fs_err::read_to_string(home.files_log())?, "all of it\n--spare\n");
        Ok(())
    }
}
