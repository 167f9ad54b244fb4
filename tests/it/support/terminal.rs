//! A terminal that a program draws on, and what can be seen there.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const COLUMNS: u16 = 160;

/// The side of a pseudo-terminal on which somebody sits.
pub(crate) struct Terminal {
    /// What programs have; gone once it is handed out.
    other_side: Option<OwnedFd>,
    screen: Arc<Mutex<Screen>>,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    line: usize,
    column: usize,
    /// A control sequence that has begun.
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
            // When nobody has the other side any more, reading is an error.
            while let Ok(length @ 1..) = side.read(&mut bytes) {
                text.extend_from_slice(&bytes[..length]);
                let whole = text.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                // What is left is the beginning of a character.
                let characters: Vec<_> = text.drain(..whole).collect();
                let characters = String::from_utf8(characters).unwrap();
                let mut screen = drawn.lock().unwrap();
                characters.chars().for_each(|character| screen.show(character));
            }
        });
        Self { other_side, screen, reader }
    }

    /// What the one program gets that draws on it.
    pub(crate) fn stdio(&mut self) -> Stdio {
        self.other_side.take().expect("one program draws on it").into()
    }

    /// The lines that have something on them.
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

    /// Obeys a control sequence, as ECMA-48 names them by their last character.
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
            // Colours show nothing.
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
