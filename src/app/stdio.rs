//! Standard input and output without a thread and without changing them for others.
//!
//! A terminal or pipe is shared with the shell that started us: setting `O_NONBLOCK` on it would set it there too
//! (the flag belongs to the open file, not to the descriptor). So the reactor is only asked *when* a descriptor is
//! ready, and then one ordinary read or write follows, small enough that it cannot block. Regular files and
//! `/dev/null` are unknown to the reactor (`EPERM`) and always ready.

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use smol::Async;
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Bytes written at once: a pipe that polls writable has room for this many (pipe(7), `PIPE_BUF`).
const WRITE_BYTES_MAX: usize = 4096;

/// A descriptor of ours for something that others use too.
enum Shared {
    Polled(Async<OwnedFd>),
    AlwaysReady(OwnedFd),
}

impl Shared {
    fn new(stream: impl AsFd) -> io::Result<Self> {
        let own = stream.as_fd().try_clone_to_owned()?;
        Ok(match Async::new_nonblocking(own) {
            Ok(polled) => Self::Polled(polled),
            Err(_) => Self::AlwaysReady(stream.as_fd().try_clone_to_owned()?),
        })
    }
}

/// Standard input, or whatever stands there.
pub(crate) struct Input(Shared);

impl Input {
    /// Standard input.
    pub(crate) fn stdin() -> io::Result<Self> {
        Ok(Self(Shared::new(io::stdin())?))
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Shared::AlwaysReady(file) => Poll::Ready(Ok(rustix::io::read(file, buf)?)),
            Shared::Polled(polled) => loop {
                ready!(polled.poll_readable(cx))?;
                match rustix::io::read(polled.get_ref(), &mut *buf) {
                    Err(rustix::io::Errno::AGAIN) => {}
                    read => return Poll::Ready(Ok(read?)),
                }
            },
        }
    }
}

/// Standard output, or whatever stands there.
pub(crate) struct Output(Shared);

impl Output {
    /// Standard output.
    pub(crate) fn stdout() -> io::Result<Self> {
        Ok(Self(Shared::new(io::stdout())?))
    }

    /// Waits until nobody reads any more (`stonechat tail | head -1`). Only a pipe tells; else this waits for ever.
    pub(crate) fn reader_gone(&self) -> impl Future<Output = ()> + use<> {
        let pipe = match &self.0 {
            Shared::Polled(polled) => polled.get_ref().try_clone().ok(),
            Shared::AlwaysReady(_) => None,
        };
        let pipe = pipe.filter(|pipe| is_writing_end(pipe).unwrap_or(false));
        let pipe = pipe.and_then(|pipe| Async::new_nonblocking(pipe).ok());
        async move {
            match pipe {
                // The writing end of a pipe never has anything to read: it wakes for the error alone.
                Some(pipe) if pipe.readable().await.is_ok() => {}
                _ => std::future::pending().await,
            }
        }
    }

    /// Writes a line and its end.
    pub(crate) async fn line(&mut self, line: &str) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.write_all(&bytes).await
    }
}

fn is_writing_end(file: &OwnedFd) -> io::Result<bool> {
    let fifo = FileType::from_raw_mode(fstat(file)?.st_mode).is_fifo();
    Ok(fifo && fcntl_getfl(file)? & OFlags::ACCMODE == OFlags::WRONLY)
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let buf = buf.get(..WRITE_BYTES_MAX).unwrap_or(buf);
        match &self.0 {
            Shared::AlwaysReady(file) => Poll::Ready(Ok(rustix::io::write(file, buf)?)),
            Shared::Polled(polled) => loop {
                ready!(polled.poll_writable(cx))?;
                match rustix::io::write(polled.get_ref(), buf) {
                    Err(rustix::io::Errno::AGAIN) => {}
                    wrote => return Poll::Ready(Ok(wrote?)),
                }
            },
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::AsyncReadExt;
    use std::io::Write;

    #[test]
    fn a_pipe_is_read_and_stays_blocking_for_others() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut input = Input(Shared::new(&reader).unwrap());
        assert!(matches!(input.0, Shared::Polled(_)));
        writer.write_all(b"hello").unwrap();
        let mut read = [0; 16];
        assert_eq!(smol::block_on(input.read(&mut read)).unwrap(), 5);
        assert!(!fcntl_getfl(&reader).unwrap().contains(OFlags::NONBLOCK));
        drop(writer);
        assert_eq!(smol::block_on(input.read(&mut read)).unwrap(), 0);
    }

    #[test]
    fn a_file_and_dev_null_are_read_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        std::fs::write(&path, "a\nb").unwrap();
        for (path, expected) in [(path.as_path(), "a\nb"), ("/dev/null".as_ref(), "")] {
            let mut input = Input(Shared::new(std::fs::File::open(path).unwrap()).unwrap());
            let mut text = String::new();
            smol::block_on(input.read_to_string(&mut text)).unwrap();
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_full_pipe_holds_the_writer_and_not_the_thread() {
        // Both ends on one thread: this ends only because the writer gives way when the pipe is full.
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Output(Shared::new(&writer).unwrap());
        let mut input = Input(Shared::new(&reader).unwrap());
        let line = "x".repeat(200_000);
        let write = async { output.line(&line).await.unwrap() };
        let read = async {
            let mut text = vec![0; line.len() + 1];
            input.read_exact(&mut text).await.unwrap();
            assert_eq!(text.pop(), Some(b'\n'));
        };
        smol::block_on(smol::future::zip(write, read));
    }

    #[test]
    fn a_reader_that_goes_away_is_noticed_without_writing() {
        let (reader, writer) = io::pipe().unwrap();
        let output = Output(Shared::new(&writer).unwrap());
        let mut gone = Box::pin(output.reader_gone());
        assert_eq!(smol::block_on(smol::future::poll_once(&mut gone)), None);
        drop(reader);
        smol::block_on(gone);
    }

    #[test]
    fn a_reader_that_went_away_is_an_error_and_no_signal() {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Output(Shared::new(&writer).unwrap());
        drop(reader);
        let error = smol::block_on(output.line("x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
