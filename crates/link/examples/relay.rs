//! The engine's socket without the machine: both ends of a link in one process, one listening where a client of the
//! engine would, the other connected to a real engine. What a request takes longer through it is what our own code
//! costs; `cargo xtask bench socket` measures that.
//!
//! `relay LISTEN ENGINE`, two paths of sockets. Ends with its standard input.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::io::{self, Read as _};
    use std::os::unix::net::UnixStream as Ends;
    use std::time::Duration;

    use tokio::net::{UnixListener, UnixStream};
    use tokio::runtime::Builder;
    use wherry_link::{HostRequest, Session, Target, splice};

    pub(super) fn main() -> Result<(), Box<dyn std::error::Error>> {
        let mut paths = std::env::args_os().skip(1);
        let (Some(listen), Some(engine)) = (paths.next(), paths.next()) else {
            return Err("relay LISTEN ENGINE".into());
        };
        let (near, far) = Ends::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        // Each half has a thread that carries, as the two processes have.
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(guest(far, engine))
        });
        wherry_link::carrier().spawn(host(near, listen));
        // Until whoever measures lets go.
        let _ = io::stdin().read(&mut [0]);
        Ok(())
    }

    async fn guest(link: Ends, engine: OsString) -> io::Result<()> {
        let link = UnixStream::from_std(link)?;
        let (_guest, mut asked) = Session::guest(link).await.map_err(io::Error::other)?;
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
        Ok(())
    }

    async fn host(link: Ends, listen: OsString) -> io::Result<()> {
        let link = UnixStream::from_std(link)?;
        let met = Session::host(link, Duration::from_secs(10)).await;
        let (host, _) = met.map_err(io::Error::other)?;
        let listener = UnixListener::bind(listen)?;
        loop {
            let (client, _) = listener.accept().await?;
            let host = host.clone();
            tokio::spawn(async move {
                let request = HostRequest::Connect { target: Target::Engine };
                if let Ok(stream) = host.begin(&request).await {
                    let _ = splice(client, stream).await;
                }
            });
        }
    }
}
