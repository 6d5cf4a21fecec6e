//! Carrying a file out of the window with the pointer, to another program's.
//!
//! The window library takes what is dropped and drags nothing itself. On X11 a client of our own does: it follows the
//! pointer while the button is held, and talks to the windows below it as the source of a drag (XDND, version 5).
//! Elsewhere nothing is carried: Wayland lets only the client whose window was pressed begin a drag, and macOS and Windows
//! have ways of their own.

use std::path::PathBuf;

/// Whether the pointer can carry anything here.
pub(super) fn is_possible() -> bool {
    let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(all(target_os = "linux", target_env = "gnu")) && has("DISPLAY") && !has("WAYLAND_DISPLAY")
}

/// Lets the pointer, whose button is held over the window, carry this file until the button is let go. The file may still
/// be on its way to the disk: it is waited for when it is asked for. Never waits itself, and does nothing where it cannot.
pub(super) fn carry(file: PathBuf) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::sync::atomic::{AtomicBool, Ordering};
        /// There is one pointer.
        static CARRIES: AtomicBool = AtomicBool::new(false);
        if !is_possible() || CARRIES.swap(true, Ordering::AcqRel) {
            return;
        }
        let run = move || {
            // What fails was a window that closed, or the display: the file stays where it is.
            drop(x11::carry(&file));
            CARRIES.store(false, Ordering::Release);
        };
        if std::thread::Builder::new().name("atelier-carry".to_owned()).spawn(run).is_err() {
            CARRIES.store(false, Ordering::Release);
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    drop(file);
}

/// The address of a file, as lists of them have it (RFC 8089; every byte that could mean something else escaped).
#[cfg(any(test, all(target_os = "linux", target_env = "gnu")))]
fn address(file: &std::path::Path) -> String {
    let mut address = "file://".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => address.push(*byte as char),
            other => address.push_str(&format!("%{other:02X}")),
        }
    }
    address
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod x11 {
    use std::{
        error::Error,
        path::Path,
        thread,
        time::{Duration, Instant},
    };

    use x11rb::{
        COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT, CURRENT_TIME, NONE,
        connection::Connection,
        protocol::{
            Event,
            xproto::{
                Atom, AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, KeyButMask,
                PropMode, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
            },
        },
        rust_connection::RustConnection,
        wrapper::ConnectionExt as _,
    };

    use super::address;

    /// The version of the protocol that is spoken, and the oldest that others may speak.
    const VERSION: u32 = 5;
    const OLDEST: u32 = 3;
    /// Between two looks at the pointer.
    const LOOK: Duration = Duration::from_millis(12);
    /// Nobody holds a button for longer.
    const LONGEST: Duration = Duration::from_secs(120);
    /// How long a program may take to fetch what was dropped on it, and a file to be there.
    const PATIENCE: Duration = Duration::from_secs(10);

    type Done<T> = Result<T, Box<dyn Error>>;

    x11rb::atom_manager! {
        Atoms: AtomsCookie {
            XdndAware,
            XdndSelection,
            XdndEnter,
            XdndPosition,
            XdndStatus,
            XdndLeave,
            XdndDrop,
            XdndFinished,
            XdndActionCopy,
            TARGETS,
            _NET_WM_PID,
            URI_LIST: b"text/uri-list",
        }
    }

    /// A window below the pointer that takes drops.
    #[derive(Clone, Copy, PartialEq)]
    struct Target {
        window: Window,
        version: u32,
    }

    struct Drag<'a> {
        server: RustConnection,
        root: Window,
        atoms: Atoms,
        /// Ours, never shown: others answer to it.
        own: Window,
        file: &'a Path,
        over: Option<Target>,
        /// It has answered to where the pointer was last, and would take what is dropped.
        answered: bool,
        accepts: bool,
        finished: bool,
    }

    /// Follows the pointer until the button is let go, and a little longer if something takes the file.
    pub(super) fn carry(file: &Path) -> Done<()> {
        let (server, screen) = x11rb::connect(None)?;
        let root = server.setup().roots[screen].root;
        let atoms = Atoms::new(&server)?.reply()?;
        let own = server.generate_id()?;
        let (aux, class) = (CreateWindowAux::new(), WindowClass::INPUT_ONLY);
        server.create_window(COPY_DEPTH_FROM_PARENT, own, root, -1, -1, 1, 1, 0, class, COPY_FROM_PARENT, &aux)?;
        server.set_selection_owner(own, atoms.XdndSelection, CURRENT_TIME)?;
        let mut drag =
            Drag { server, root, atoms, own, file, over: None, answered: true, accepts: false, finished: false };
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < LONGEST {
            let pointer = drag.server.query_pointer(drag.root)?.reply()?;
            drag.hear()?;
            if !pointer.mask.contains(KeyButMask::BUTTON1) {
                return drag.let_go();
            }
            // A window that goes while it is asked is none.
            let over = drag.below(pointer.child).unwrap_or(None);
            if over != drag.over {
                drag.move_over(over)?;
                last = None;
            }
            let at = (pointer.root_x, pointer.root_y);
            if drag.over.is_some() && drag.answered && last != Some(at) {
                drag.answered = false;
                last = Some(at);
                let place = u32::from(at.0 as u16) << 16 | u32::from(at.1 as u16);
                drag.say(drag.atoms.XdndPosition, [0, place, CURRENT_TIME, drag.atoms.XdndActionCopy])?;
            }
            drag.server.flush()?;
            thread::sleep(LOOK);
        }
        drag.move_over(None)?;
        drag.server.flush()?;
        Ok(())
    }

    impl Drag<'_> {
        /// The outermost window from `window` down below the pointer that takes drops, other than this program's.
        fn below(&self, mut window: Window) -> Done<Option<Target>> {
            while window != NONE {
                if let Some(version) = self.number(window, self.atoms.XdndAware)? {
                    let is_own = self.number(window, self.atoms._NET_WM_PID)? == Some(std::process::id());
                    let target = Target { window, version: version.min(VERSION) };
                    return Ok(Some(target).filter(|_| version >= OLDEST && !is_own));
                }
                window = self.server.query_pointer(window)?.reply()?.child;
            }
            Ok(None)
        }

        fn number(&self, window: Window, property: Atom) -> Done<Option<u32>> {
            let reply = self.server.get_property(false, window, property, AtomEnum::ANY, 0, 1)?.reply()?;
            Ok(reply.value32().and_then(|mut numbers| numbers.next()))
        }

        /// Tells the window below the pointer something; the first number is always who says it.
        fn say(&self, what: Atom, [a, b, c, d]: [u32; 4]) -> Done<()> {
            let Some(target) = self.over else { return Ok(()) };
            let message = ClientMessageEvent::new(32, target.window, what, [self.own, a, b, c, d]);
            self.server.send_event(false, target.window, EventMask::NO_EVENT, message)?;
            Ok(())
        }

        fn move_over(&mut self, over: Option<Target>) -> Done<()> {
            self.say(self.atoms.XdndLeave, [0; 4])?;
            (self.over, self.answered, self.accepts) = (over, true, false);
            if let Some(target) = over {
                self.say(self.atoms.XdndEnter, [target.version << 24, self.atoms.URI_LIST, 0, 0])?;
            }
            Ok(())
        }

        /// Takes what others say.
        fn hear(&mut self) -> Done<()> {
            while let Some(event) = self.server.poll_for_event()? {
                match event {
                    Event::ClientMessage(message) => {
                        let said = message.data.as_data32();
                        let by_target = self.over.is_some_and(|target| target.window == said[0]);
                        if message.type_ == self.atoms.XdndStatus && by_target {
                            (self.answered, self.accepts) = (true, said[1] & 1 == 1);
                        } else if message.type_ == self.atoms.XdndFinished && by_target {
                            self.finished = true;
                        }
                    }
                    Event::SelectionRequest(request) => self.give(&request)?,
                    _ => {}
                }
            }
            Ok(())
        }

        /// Answers who asks what is carried.
        fn give(&self, request: &SelectionRequestEvent) -> Done<()> {
            let (to, wanted) = (request.requestor, request.target);
            let mut property = if request.property == NONE { wanted } else { request.property };
            if wanted == self.atoms.URI_LIST {
                let begun = Instant::now();
                while !self.file.exists() && begun.elapsed() < PATIENCE {
                    thread::sleep(LOOK);
                }
                let list = format!("{}\r\n", address(self.file));
                self.server.change_property8(PropMode::REPLACE, to, property, wanted, list.as_bytes())?;
            } else if wanted == self.atoms.TARGETS {
                let targets = [self.atoms.TARGETS, self.atoms.URI_LIST];
                self.server.change_property32(PropMode::REPLACE, to, property, AtomEnum::ATOM, &targets)?;
            } else {
                property = NONE;
            }
            let answer = SelectionNotifyEvent {
                response_type: SELECTION_NOTIFY_EVENT,
                sequence: 0,
                time: request.time,
                requestor: to,
                selection: request.selection,
                target: wanted,
                property,
            };
            self.server.send_event(false, to, EventMask::NO_EVENT, answer)?;
            self.server.flush()?;
            Ok(())
        }

        /// The button is let go: over something that takes the file, or not.
        fn let_go(&mut self) -> Done<()> {
            let begun = Instant::now();
            while self.over.is_some() && !self.answered && begun.elapsed() < PATIENCE {
                self.server.flush()?;
                thread::sleep(LOOK);
                self.hear()?;
            }
            if !self.accepts {
                self.move_over(None)?;
                self.server.flush()?;
                return Ok(());
            }
            self.say(self.atoms.XdndDrop, [0, CURRENT_TIME, 0, 0])?;
            self.server.flush()?;
            while !self.finished && begun.elapsed() < PATIENCE {
                thread::sleep(LOOK);
                self.hear()?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files_are_escaped() {
        for (path, wanted) in [
            ("/a/b-1_2.~png", "file:///a/b-1_2.~png"),
            ("/home/数 据/50%#.png", "file:///home/%E6%95%B0%20%E6%8D%AE/50%25%23.png"),
        ] {
            assert_eq!(address(std::path::Path::new(path)), wanted);
        }
    }
}
