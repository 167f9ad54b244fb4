use std::io::Read;
use std::sync::{Mutex, mpsc};
use std::time::Instant;
use std::{fs, iter};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;
use crate::server::logs::writer::MAX_KEPT_BYTES;
use crate::server::test_wait::{PATIENCE, wait_until};

/// Drops the sink, and waits until its last lines are written or lost: on a busy machine that may take longer
/// than the drop.
fn end(sink: LogSink) {
    let handle = sink.handle();
    drop(sink);
    wait_until("the writer has ended", || handle.shared.lock().has_ended);
}

/// A destination with limited room, like a disk.
#[derive(Clone, Default)]
struct Disk {
    room: Arc<Mutex<usize>>,
    held: Arc<Mutex<Vec<u8>>>,
}

impl Disk {
    fn text(&self) -> String {
        String::from_utf8(self.held.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        let length = bytes.len().min(*room);
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= length;
        self.held.lock().unwrap().extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A destination that blocks until `released` is disconnected.
struct Blocked {
    entered: mpsc::Sender<()>,
    released: mpsc::Receiver<()>,
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.entered.send(());
        let _ = self.released.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_of_many_threads_come_whole_and_each_threads_in_order() {
    const LINES: usize = 2_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, "what was there\n").unwrap();
    let sink = LogSink::append_to(&path).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let mut handle = sink.handle();
            scope.spawn(move || {
                for number in 0..LINES {
                    handle.write_all(format!("{writer} {number} end\n").as_bytes()).unwrap();
                }
            });
        }
    });
    let handle = sink.handle();
    end(sink);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().next(), Some("what was there"));
    assert_eq!(text.lines().count(), 1 + 4 * LINES);
    for writer in 0..4 {
        let prefix = format!("{writer} ");
        let lines = text.lines().filter(|line| line.starts_with(&prefix));
        assert!(lines.eq((0..LINES).map(|number| format!("{writer} {number} end"))));
    }
    assert_eq!((handle.dropped(), handle.failures()), (0, 0));
}

#[test]
fn a_line_is_written_soon_without_another_after_it() {
    let (mut reader, writer) = io::pipe().unwrap();
    let sink = LogSink::to_descriptor("a pipe", &writer).unwrap();
    for line in [b"first\n", b"later\n"] {
        sink.handle().append(line);
        let mut bytes = [0; 6];
        reader.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, line);
    }
}

#[test]
fn a_buffer_gives_back_what_a_burst_took() {
    let disk = Disk::default();
    *disk.room.lock().unwrap() = usize::MAX;
    let sink = LogSink::to_writer("test", Box::new(disk.clone())).unwrap();
    let handle = sink.handle();
    for _ in 0..2 {
        handle.append(&b"a line\n".repeat(50_000));
        wait_until("the burst is taken", || handle.shared.lock().lines.is_empty());
    }
    // The queue holds the other buffer now, which had the first burst.
    wait_until("the buffer is small", || {
        let capacity = handle.shared.lock().lines.capacity();
        capacity > 0 && capacity <= MAX_KEPT_BYTES
    });
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_but_neither_memory_nor_time() {
    let (mut reader, writer) = io::pipe().unwrap();
    let sink = LogSink::to_descriptor("a pipe", &writer).unwrap();
    drop(writer);
    let handle = sink.handle();
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let appended = 8 * CAPACITY_BYTES / line.len();
    for _ in 0..appended {
        handle.append(&line);
    }
    assert!(handle.shared.lock().lines.len() <= CAPACITY_BYTES);
    assert!(handle.dropped() >= appended as u64 / 2, "{}", handle.dropped());
    let started_at = Instant::now();
    drop(sink);
    assert!(started_at.elapsed() < PATIENCE);
    // The sink ends although its writer is blocked; a late reader finds whole lines.
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    assert!(text.chunks(line.len()).all(|chunk| chunk == line));
    wait_until("every line is counted", || {
        handle.dropped() + (text.len() / line.len()) as u64 == appended as u64
    });
}

#[test]
fn a_destination_that_blocks_does_not_keep_the_sink_from_ending() {
    let ((entered, enters), (release, released)) = (mpsc::channel(), mpsc::channel());
    let sink = LogSink::to_writer("a test", Box::new(Blocked { entered, released })).unwrap();
    sink.handle().append(b"a line\n");
    enters.recv_timeout(PATIENCE).unwrap();
    let (ended, ends) = mpsc::channel();
    let dropping = thread::spawn(move || {
        drop(sink);
        ended.send(()).unwrap();
    });
    ends.recv_timeout(PATIENCE).unwrap();
    drop(release);
    dropping.join().unwrap();
}

#[test]
fn a_destination_that_takes_nothing_for_a_while_costs_no_line_of_a_busy_server() {
    let ((entered, enters), (release, released)) = (mpsc::channel(), mpsc::channel());
    let sink = LogSink::to_writer("a test", Box::new(Blocked { entered, released })).unwrap();
    let handle = sink.handle();
    let line = [&[b'x'; 299][..], b"\n"].concat();
    handle.append(&line);
    enters.recv_timeout(PATIENCE).unwrap();
    // Two seconds of 25,000 requests each.
    for _ in 0..50_000 {
        handle.append(&line);
    }
    assert_eq!(handle.dropped(), 0);
    drop(release);
    end(sink);
    assert_eq!(handle.dropped(), 0);
    let queue = handle.shared.lock();
    assert!(queue.lines.capacity() <= MAX_KEPT_BYTES, "{}", queue.lines.capacity());
}

#[test]
fn a_full_disk_is_counted_and_lines_beyond_the_buffer_are_lost() {
    let sink = LogSink::append_to("/dev/full").unwrap();
    let handle = sink.handle();
    handle.append(b"the first\n");
    wait_until("a failure is counted", || handle.failures() > 0);
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    for _ in 0..CAPACITY_BYTES / line.len() {
        handle.append(&line);
    }
    assert_eq!(handle.dropped(), 0);
    handle.append(b"one\nmore\n");
    assert_eq!(handle.dropped(), 2);
    end(sink);
    assert_eq!(handle.dropped(), 2 + 1 + (CAPACITY_BYTES / line.len()) as u64);
    handle.append(b"too late\n");
    assert_eq!(handle.dropped(), 4 + (CAPACITY_BYTES / line.len()) as u64);
}

#[test]
fn when_the_disk_has_room_again_every_line_is_there_in_order_and_whole() {
    let disk = Disk::default();
    let sink = LogSink::to_writer("a disk", Box::new(disk.clone())).unwrap();
    let handle = sink.handle();
    let lines: Vec<String> = (0..100).map(|number| format!("line {number}\n")).collect();
    *disk.room.lock().unwrap() = 25;
    for (number, line) in iter::zip(1.., &lines) {
        handle.append(line.as_bytes());
        if number == 10 {
            wait_until("a failure is counted", || handle.failures() > 0);
            assert_eq!(disk.text(), lines.concat()[..25]);
        }
    }
    *disk.room.lock().unwrap() = usize::MAX;
    wait_until("the last line is written", || disk.text().ends_with("line 99\n"));
    assert_eq!(disk.text(), lines.concat());
    assert_eq!(handle.dropped(), 0);
}

#[test]
fn rotation_continues_in_a_new_file_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, rotated) = (directory.path().join("log"), directory.path().join("log.1"));
    let sink = LogSink::append_to(&path).unwrap();
    let handle = sink.handle();
    handle.append(b"before\n");
    fs::rename(&path, &rotated).unwrap();
    handle.append(b"while renamed\n");
    handle.reopen();
    wait_until("the new file exists", || path.exists());
    handle.append(b"after\n");
    end(sink);
    assert_eq!(fs::read_to_string(rotated).unwrap(), "before\nwhile renamed\n");
    assert_eq!(fs::read_to_string(path).unwrap(), "after\n");
    assert_eq!((handle.dropped(), handle.failures()), (0, 0));
}

#[test]
fn where_the_file_cannot_be_reopened_the_old_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (folder, moved) = (directory.path().join("logs"), directory.path().join("moved"));
    fs::create_dir(&folder).unwrap();
    let sink = LogSink::append_to(folder.join("log")).unwrap();
    let handle = sink.handle();
    fs::rename(&folder, &moved).unwrap();
    handle.reopen();
    wait_until("a failure is counted", || handle.failures() > 0);
    handle.append(b"a line\n");
    end(sink);
    assert_eq!(fs::read_to_string(moved.join("log")).unwrap(), "a line\n");
    assert_eq!(handle.dropped(), 0);
}

#[test]
fn a_fifo_is_written_to_while_somebody_reads_it_and_never_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    assert!(LogSink::append_to(&path).is_err(), "nobody reads it");
    let opening = path.clone();
    let reader = thread::spawn(move || fs::read_to_string(opening).unwrap());
    let mut sink = None;
    wait_until("the reader has opened it", || {
        sink = LogSink::append_to(&path).ok();
        sink.is_some()
    });
    let sink = sink.unwrap();
    // More than the FIFO holds: the writer waits for its reader.
    let lines = "a line\n".repeat(30_000);
    sink.handle().append(lines.as_bytes());
    drop(sink);
    assert!(reader.join().unwrap() == lines);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_once() {
    let error = LogSink::append_to("/does/not/exist/log").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
