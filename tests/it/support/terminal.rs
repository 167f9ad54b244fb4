//! A pseudo-terminal, and the text that a program draws on it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const COLUMNS: u16 = 160;

/// The controlling side of a pseudo-terminal.
pub(crate) struct Terminal {
    /// The side for a program; `None` once it is handed out.
    other_side: Option<OwnedFd>,
    screen: Arc<Mutex<Screen>>,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    line: usize,
    column: usize,
    /// An incomplete control sequence.
    sequence: Option<String>,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let side = openpt(flags).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        let window = Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&side, window).unwrap();
        let other_side = Some(ioctl_tiocgptpeer(&side, flags).unwrap());
        let screen = Arc::new(Mutex::new(Screen::default()));
        let drawn = Arc::clone(&screen);
        let reader = thread::spawn(move || {
            let (mut side, mut bytes, mut text) = (File::from(side), [0; 4096], Vec::new());
            // Reading fails once the other side is closed.
            while let Ok(length @ 1..) = side.read(&mut bytes) {
                text.extend_from_slice(&bytes[..length]);
                let whole = text.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                // The rest is the beginning of a character.
                let characters: Vec<_> = text.drain(..whole).collect();
                let characters = String::from_utf8(characters).unwrap();
                let mut screen = drawn.lock().unwrap();
                characters.chars().for_each(|character| screen.show(character));
            }
        });
        Self { other_side, screen, reader }
    }

    /// The side for the program that draws on it.
    pub(crate) fn stdio(&mut self) -> Stdio {
        self.other_side.take().expect("one program draws on it").into()
    }

    /// The lines that are not empty.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.screen.lock().unwrap().lines()
    }

    /// The lines that remain when the program has ended.
    pub(crate) fn last_lines(self) -> Vec<String> {
        self.reader.join().unwrap();
        self.screen.lock().unwrap().lines()
    }
}

impl Screen {
    fn lines(&self) -> Vec<String> {
        let text = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        self.lines.iter().map(text).filter(|line| !line.is_empty()).collect()
    }

    fn show(&mut self, character: char) {
        if let Some(sequence) = &mut self.sequence {
            if character.is_ascii_alphabetic() {
                let sequence = self.sequence.take().unwrap();
                self.obey(character, sequence.trim_start_matches('['));
            } else {
                sequence.push(character);
            }
            return;
        }
        match character {
            '\u{1b}' => self.sequence = Some(String::new()),
            '\r' => self.column = 0,
            '\n' => self.line += 1,
            _ => {
                if self.column == usize::from(COLUMNS) {
                    (self.line, self.column) = (self.line + 1, 0);
                }
                let column = self.column;
                let line = self.current();
                line.resize(line.len().max(column + 1), ' ');
                line[column] = character;
                self.column += 1;
            }
        }
    }

    /// Applies a control sequence, which ECMA-48 names by its last character.
    fn obey(&mut self, name: char, parameter: &str) {
        let count = parameter.parse().unwrap_or(1);
        match name {
            'A' => self.line = self.line.saturating_sub(count),
            'B' => self.line += count,
            'K' if parameter == "2" => self.current().clear(),
            'K' => {
                let column = self.column;
                self.current().truncate(column);
            }
            // Colours are ignored.
            'm' => {}
            _ => panic!("the terminal does not know {parameter}{name}"),
        }
    }

    fn current(&mut self) -> &mut Vec<char> {
        let lines = self.lines.len().max(self.line + 1);
        self.lines.resize(lines, Vec::new());
        &mut self.lines[self.line]
    }
}
