//! Sessions over byte streams that behave like a serial port: bytes of an earlier session may still be there,
//! and neither side need notice that the other was replaced.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::timeout,
};
use wherry_link::{Error, HostRequest, Incoming, Reply, Session, Stream, Usage, splice};

const SOON: Duration = Duration::from_secs(20);

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// One end of a serial port. Clones share it, as one host after another does, and the far end notices nothing.
#[derive(Clone)]
struct Port {
    bytes: Arc<Mutex<DuplexStream>>,
    may_write: Arc<AtomicUsize>,
    may_read: Arc<AtomicUsize>,
    frozen: Arc<AtomicBool>,
}

impl Port {
    fn pair() -> (Self, Self) {
        let (a, b) = duplex(64 * 1024);
        (Self::new(a), Self::new(b))
    }

    fn new(bytes: DuplexStream) -> Self {
        Self {
            bytes: Arc::new(Mutex::new(bytes)),
            may_write: Arc::new(AtomicUsize::new(usize::MAX)),
            may_read: Arc::new(AtomicUsize::new(usize::MAX)),
            frozen: Arc::default(),
        }
    }

    /// The same port in the hands of somebody who dies after so many bytes.
    fn doomed(&self, may_write: usize, may_read: usize) -> Self {
        Self {
            bytes: Arc::clone(&self.bytes),
            may_write: Arc::new(AtomicUsize::new(may_write)),
            may_read: Arc::new(AtomicUsize::new(may_read)),
            frozen: Arc::default(),
        }
    }

    fn poll<T>(&self, poll: impl FnOnce(Pin<&mut DuplexStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.frozen.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        poll(Pin::new(
            &mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let allowed = self.may_read.load(Ordering::Relaxed);
        let mut part = vec![0; buffer.remaining().min(allowed)];
        let mut part = ReadBuf::new(&mut part);
        let result = self.poll(|bytes| bytes.poll_read(context, &mut part));
        self.may_read.fetch_sub(part.filled().len(), Ordering::Relaxed);
        buffer.put_slice(part.filled());
        result
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = self.may_write.load(Ordering::Relaxed);
        if allowed == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let result = self.poll(|port| port.poll_write(context, &bytes[..bytes.len().min(allowed)]));
        if let Poll::Ready(Ok(written)) = result {
            self.may_write.fetch_sub(written, Ordering::Relaxed);
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|bytes| bytes.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Pair {
    host: Session,
    from_guest: Incoming,
    guest: Session,
    from_host: Incoming,
}

async fn pair(buffer: usize) -> Result<Pair, Error> {
    let (a, b) = duplex(buffer);
    let (host, guest) = tokio::join!(Session::host(a, SOON), Session::guest(b));
    let ((host, from_guest), (guest, from_host)) = (host?, guest?);
    Ok(Pair {
        host,
        from_guest,
        guest,
        from_host,
    })
}

/// Answers every request with a number and then sends back what it gets.
async fn echo(mut incoming: Incoming) {
    while let Some(mut stream) = incoming.next().await {
        tokio::spawn(async move {
            let Ok(Some(HostRequest::Watch)) = stream.read_message().await else {
                return;
            };
            let _ = stream.write_message(&Reply::Ok { value: 7 }).await;
            let (reader, writer) = tokio::io::split(stream);
            let _ = splice(
                tokio::io::join(reader, tokio::io::empty()),
                tokio::io::join(tokio::io::empty(), writer),
            )
            .await;
        });
    }
}

async fn greet(session: &Session, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (seven, mut stream): (u32, _) = session.ask(&HostRequest::Watch).await?;
    assert_eq!(seven, 7);
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_request_its_reply_and_raw_bytes_share_a_stream() -> Outcome {
    let mut pair = pair(4096).await?;
    tokio::spawn(async move {
        let mut stream = pair.from_host.next().await.expect("a stream");
        let request: Option<HostRequest> = stream.read_message().await.expect("a request");
        assert_eq!(request, Some(HostRequest::Usage));
        let reply = Reply::Ok {
            value: Usage {
                memory_total: 5,
                ..Usage::default()
            },
        };
        let mut line = serde_json::to_vec(&reply).expect("a reply");
        line.extend_from_slice(b"\n\0raw\nbytes");
        stream.write_all(&line).await.expect("written");
        stream.shutdown().await.expect("shut");
    });
    let (usage, mut stream): (Usage, Stream) = pair.host.ask(&HostRequest::Usage).await?;
    assert_eq!(usage.memory_total, 5);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    assert_eq!(rest, b"\0raw\nbytes");
    Ok(())
}

#[tokio::test]
async fn the_guest_asks_too_and_a_refusal_is_an_error_with_its_sentence() -> Outcome {
    let mut pair = pair(4096).await?;
    tokio::spawn(async move {
        let mut stream = pair.from_guest.next().await.expect("a stream");
        let _: Option<HostRequest> = stream.read_message().await.expect("a request");
        let reply = Reply::<()>::Refused {
            message: "Port 80 is taken by nginx (pid 7)".into(),
        };
        stream.write_message(&reply).await.expect("written");
    });
    let refused = pair.guest.ask::<_, ()>(&HostRequest::Usage).await;
    assert!(matches!(refused, Err(Error::Refused { message }) if message == "Port 80 is taken by nginx (pid 7)"));
    Ok(())
}

#[tokio::test]
async fn each_direction_closes_on_its_own() -> Outcome {
    let mut pair = pair(4096).await?;
    let mut host = pair.host.open().await?;
    host.write_all(b"all I have").await?;
    host.shutdown().await?;
    let mut guest = pair.from_host.next().await.ok_or("no stream")?;
    let mut read = String::new();
    guest.read_to_string(&mut read).await?;
    assert_eq!(read, "all I have");
    guest.write_all(b"and all I have").await?;
    guest.shutdown().await?;
    read.clear();
    host.read_to_string(&mut read).await?;
    assert_eq!(read, "and all I have");
    Ok(())
}

#[tokio::test]
async fn an_answer_of_any_size_follows_a_half_close() -> Outcome {
    let pair = pair(4096).await?;
    tokio::spawn(echo(pair.from_host));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let (_, stream): (u32, _) = pair.host.ask(&HostRequest::Watch).await?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let (written, read) = tokio::join!(
        async {
            writer.write_all(&bytes).await?;
            writer.shutdown().await
        },
        reader.read_to_end(&mut answer),
    );
    written?;
    read?;
    assert!(answer == bytes, "{} of {} bytes came back", answer.len(), bytes.len());
    Ok(())
}

#[tokio::test]
async fn a_thousand_streams_at_once_from_each_side() -> Outcome {
    let pair = pair(64 * 1024).await?;
    tokio::spawn(echo(pair.from_host));
    tokio::spawn(echo(pair.from_guest));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..2000_u32 {
        let session = if number % 2 == 0 {
            pair.host.clone()
        } else {
            pair.guest.clone()
        };
        tasks.spawn(async move {
            let bytes = number.to_le_bytes().repeat(5000);
            let answer = greet(&session, &bytes).await.expect("an answer");
            assert!(answer == bytes);
        });
    }
    timeout(Duration::from_mins(1), tasks.join_all()).await?;
    Ok(())
}

#[tokio::test]
async fn streams_that_nobody_answers_do_not_keep_others_from_being_opened() -> Outcome {
    let mut pair = pair(64 * 1024).await?;
    let (forward, rest) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(stream) = pair.from_host.next().await {
            let _ = forward.send(stream);
        }
    });
    let mut unanswered = Vec::new();
    for _ in 0..600 {
        let mut stream = timeout(SOON, pair.host.open()).await??;
        stream.write_message(&HostRequest::Usage).await?;
        unanswered.push(stream);
    }
    drop(rest);
    Ok(())
}

#[tokio::test]
async fn a_stalled_reader_stalls_only_itself_and_holds_a_bounded_amount() -> Outcome {
    let mut pair = pair(64 * 1024).await?;
    let mut stalled = pair.host.open().await?;
    stalled.write_all(b"x").await?;
    let keep = pair.from_host.next().await.ok_or("no stream")?;
    tokio::spawn(echo(pair.from_host));

    let mut written = 0;
    while let Ok(more) = timeout(Duration::from_millis(300), stalled.write(&[0; 16 * 1024])).await {
        written += more?;
        assert!(
            written < 1024 * 1024,
            "{written} bytes went to a reader that reads nothing"
        );
    }
    assert!(written >= 128 * 1024, "only {written} bytes fit into the window");
    let bytes = vec![1; 2_000_000];
    let (_, other): (u32, _) = pair.host.ask(&HostRequest::Watch).await?;
    let (mut reader, mut writer) = tokio::io::split(other);
    let mut answer = vec![0; bytes.len()];
    let both = async { tokio::try_join!(writer.write_all(&bytes), reader.read_exact(&mut answer)) };
    timeout(SOON, both).await??;
    drop(keep);
    Ok(())
}

#[tokio::test]
async fn both_directions_may_be_full_at_once() -> Outcome {
    let pair = pair(1024).await?;
    tokio::spawn(echo(pair.from_host));
    tokio::spawn(echo(pair.from_guest));
    let mut tasks = tokio::task::JoinSet::new();
    for session in [&pair.host, &pair.guest, &pair.host, &pair.guest] {
        let (_, stream): (u32, _) = session.ask(&HostRequest::Watch).await?;
        tasks.spawn(async move {
            let bytes = vec![3; 4_000_000];
            let (mut reader, mut writer) = tokio::io::split(stream);
            let mut answer = vec![0; bytes.len()];
            tokio::try_join!(writer.write_all(&bytes), reader.read_exact(&mut answer)).expect("echoed");
        });
    }
    timeout(Duration::from_mins(1), tasks.join_all()).await?;
    Ok(())
}

#[tokio::test]
async fn a_writer_learns_that_nobody_reads_any_more() -> Outcome {
    let mut pair = pair(4096).await?;
    // After a half-close: what yamux alone does not tell.
    let mut host = pair.host.open().await?;
    host.write_all(b"logs, and then go on").await?;
    host.shutdown().await?;
    let mut guest = pair.from_host.next().await.ok_or("no stream")?;
    let writer = tokio::spawn(async move {
        let mut buffer = Vec::new();
        guest.read_to_end(&mut buffer).await?;
        loop {
            guest.write_all(&[0; 1024]).await?;
        }
        #[expect(unreachable_code, reason = "names the error type")]
        Ok::<(), io::Error>(())
    });
    host.read_exact(&mut [0; 4096]).await?;
    drop(host);
    let error = timeout(SOON, writer).await??.err().ok_or("it went on writing")?;
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    Ok(())
}

#[tokio::test]
async fn a_dropped_stream_is_a_reset_and_not_an_end() -> Outcome {
    let mut pair = pair(4096).await?;
    let mut host = pair.host.open().await?;
    host.write_all(b"half an answ").await?;
    let mut guest = pair.from_host.next().await.ok_or("no stream")?;
    drop(host);
    let mut read = Vec::new();
    let error = guest
        .read_to_end(&mut read)
        .await
        .err()
        .ok_or("taken for a whole answer")?;
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(read, b"half an answ");
    Ok(())
}

#[tokio::test]
async fn a_lost_session_is_a_reset_even_after_a_half_close() -> Outcome {
    let mut pair = pair(4096).await?;
    let mut host = pair.host.open().await?;
    host.write_all(b"?").await?;
    host.shutdown().await?;
    let guest = pair.from_host.next().await.ok_or("no stream")?;
    pair.guest.close();
    let error = timeout(SOON, host.read_to_end(&mut Vec::new()))
        .await?
        .err()
        .ok_or("taken for an end")?;
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    drop(guest);
    Ok(())
}

#[tokio::test]
async fn closing_ends_both_sides() -> Outcome {
    let mut pair = pair(4096).await?;
    pair.host.close();
    timeout(SOON, pair.host.closed()).await?;
    timeout(SOON, pair.guest.closed()).await?;
    assert!(pair.from_host.next().await.is_none());
    assert!(matches!(pair.host.open().await, Err(Error::Closed)));
    assert!(matches!(pair.guest.open().await, Err(Error::Closed)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_silent_other_side_counts_as_dead() -> Outcome {
    let (host, guest) = Port::pair();
    let (host, guest_session) = tokio::join!(Session::host(host, SOON), Session::guest(guest.clone()));
    let ((host, _from_guest), (guest_session, _from_host)) = (host?, guest_session?);
    // Alive but idle for an hour: nobody ends it.
    assert!(timeout(Duration::from_hours(1), host.closed()).await.is_err());
    assert!(timeout(Duration::from_secs(1), guest_session.closed()).await.is_err());
    guest.frozen.store(true, Ordering::Relaxed);
    timeout(Duration::from_mins(1), host.closed()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_wait_is_bounded() -> Outcome {
    let (host, _guest) = Port::pair();
    let answer = Session::host(host, Duration::from_secs(3)).await;
    assert!(matches!(answer, Err(Error::NoAnswer { after }) if after == Duration::from_secs(3)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn garbage_and_stale_bytes_are_passed_over() -> Outcome {
    let (mut host, mut guest) = Port::pair();
    // An earlier host's preamble and half a chunk towards the guest, a whole conversation towards the host.
    host.write_all(b"\xD1\0\0\0\xff\nwherry-link 1 hello 0123456789abcdef\nwherry-link 1 go 0123456789abcdef")
        .await?;
    guest
        .write_all(b"\nwherry-link 1 here 0123456789abcdef\n\nwherry-link 1 go 0123456789abcdef\n\xD2\0\0\0\0")
        .await?;
    guest.write_all(&[0xFF; 5000]).await?;
    let serve = tokio::spawn(serve_for_ever(guest));
    let (session, _incoming) = Session::host(host, SOON).await?;
    assert_eq!(greet(&session, b"hello").await?, b"hello");
    serve.abort();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_second_host_takes_over_from_one_that_is_still_there() -> Outcome {
    let (host, guest) = Port::pair();
    let serve = tokio::spawn(serve_for_ever(guest));
    let mut earlier = Vec::new();
    for _ in 0..5 {
        let (session, incoming) = Session::host(host.clone(), SOON).await?;
        assert_eq!(greet(&session, b"hello").await?, b"hello");
        // Never closed; but one port has one reader, so the earlier one must not read on.
        session.close();
        session.closed().await;
        earlier.push((session, incoming));
    }
    serve.abort();
    Ok(())
}

async fn serve_for_ever(port: Port) {
    loop {
        if let Ok((session, incoming)) = Session::guest(port.clone()).await {
            echo(incoming).await;
            session.closed().await;
        }
    }
}

/// Bytes that arrive must be the first of those sent; and an end must mean that all arrived.
async fn serve_checked(port: Port) {
    loop {
        let Ok((session, mut incoming)) = Session::guest(port.clone()).await else {
            continue;
        };
        while let Some(mut stream) = incoming.next().await {
            tokio::spawn(async move {
                let Ok(Some(HostRequest::Watch)) = stream.read_message().await else {
                    return;
                };
                let _ = stream.write_message(&Reply::Ok { value: 7 }).await;
                let mut read = Vec::new();
                let end = stream.read_to_end(&mut read).await;
                assert!(PAYLOAD.starts_with(&read), "the guest read what nobody sent: {read:?}");
                assert!(end.is_err() || read == PAYLOAD, "the guest took a part for the whole");
                let _ = stream.write_all(&read).await;
                let _ = stream.shutdown().await;
            });
        }
        session.closed().await;
    }
}

const PAYLOAD: &[u8] = b"\nnewlines\n\n\nin\nit\nwherry-link 1 hello 0123456789abcdef\n";

#[tokio::test(start_paused = true)]
async fn a_host_may_die_at_every_byte_it_writes() -> Outcome {
    std::panic::set_hook(Box::new(|panic| {
        // In a task of the runtime: it must fail the test all the same.
        eprintln!("{panic}");
        std::process::abort()
    }));
    let (host, guest) = Port::pair();
    tokio::spawn(serve_checked(guest));
    let measured = host.doomed(usize::MAX, usize::MAX);
    let (session, incoming) = Session::host(measured.clone(), SOON).await?;
    let preamble = usize::MAX - measured.may_write.load(Ordering::Relaxed);
    greet(&session, PAYLOAD).await?;
    let all = usize::MAX - measured.may_write.load(Ordering::Relaxed);
    let read = usize::MAX - measured.may_read.load(Ordering::Relaxed);
    session.close();
    session.closed().await;
    drop(incoming);

    let writes = (0..preamble - 200).step_by(7919).chain(preamble - 200..all + 20);
    let cuts = writes
        .map(|write| (write, usize::MAX))
        .chain((0..read + 20).map(|read| (usize::MAX, read)));
    for (write, read) in cuts {
        let dying = async {
            let (session, _incoming) = Session::host(host.doomed(write, read), Duration::from_secs(1)).await?;
            greet(&session, PAYLOAD).await?;
            Ok::<(), Error>(())
        };
        // Dies at the cut, or hangs for what it will never read and is killed.
        let _ = timeout(Duration::from_secs(3), dying).await;
        let (session, _incoming) = Session::host(host.clone(), SOON)
            .await
            .map_err(|error| format!("after {write} bytes written and {read} read nobody got through: {error}"))?;
        assert_eq!(greet(&session, PAYLOAD).await?, PAYLOAD);
        session.close();
        session.closed().await;
    }
    Ok(())
}

#[tokio::test]
async fn messages_are_bounded_and_a_cut_one_is_an_error() -> Outcome {
    let mut pair = pair(64 * 1024).await?;
    let mut host = pair.host.open().await?;
    host.write_all(b"{\"type\":").await?;
    host.shutdown().await?;
    let mut guest = pair.from_host.next().await.ok_or("no stream")?;
    assert!(matches!(guest.read_message::<HostRequest>().await, Err(Error::Cut)));

    let mut host = pair.host.open().await?;
    let flood = tokio::spawn(async move { host.write_all(&vec![b' '; 4 * 1024 * 1024]).await });
    let mut guest = pair.from_host.next().await.ok_or("no stream")?;
    assert!(matches!(
        guest.read_message::<HostRequest>().await,
        Err(Error::TooLong { .. })
    ));
    drop(guest);
    assert!(timeout(SOON, flood).await??.is_err());

    let mut host = pair.host.open().await?;
    host.shutdown().await?;
    let mut guest = pair.from_host.next().await.ok_or("no stream")?;
    assert!(guest.read_message::<HostRequest>().await?.is_none());
    Ok(())
}
