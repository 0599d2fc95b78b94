//! The engine's socket without the machine: both ends of a link in one process, one listening where a client of the
//! engine would, the other connected to a real engine. What a request takes longer through it is what our own code
//! costs; `cargo xtask bench socket` measures that.
//!
//! `relay LISTEN ENGINE`, two paths of sockets. Ends with its standard input.

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::{UnixListener, UnixStream};
    use wherry_link::{HostRequest, Session, Target, splice};

    let mut paths = std::env::args_os().skip(1);
    let (Some(listen), Some(engine)) = (paths.next(), paths.next()) else {
        return Err("relay LISTEN ENGINE".into());
    };
    let (near, far) = UnixStream::pair()?;
    let (host, guest) = tokio::join!(Session::host(near, Duration::from_secs(10)), Session::guest(far));
    let ((host, _), (_guest, mut asked)) = (host?, guest?);
    tokio::spawn(async move {
        while let Some(mut stream) = asked.next().await {
            let engine = engine.clone();
            tokio::spawn(async move {
                let _ = stream.read_message::<HostRequest>().await;
                if let Ok(engine) = UnixStream::connect(engine).await {
                    let _ = stream.accept(()).await;
                    let _ = splice(engine, stream).await;
                }
            });
        }
    });
    let listener = UnixListener::bind(listen)?;
    let (mut input, mut byte) = (tokio::io::stdin(), [0]);
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = input.read(&mut byte) => return Ok(()),
        };
        let host = host.clone();
        tokio::spawn(async move {
            let request = HostRequest::Connect { target: Target::Engine };
            if let Ok(stream) = host.begin(&request).await {
                let _ = splice(client, stream).await;
            }
        });
    }
}

#[cfg(not(unix))]
fn main() {}
