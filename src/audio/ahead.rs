//! Going before other threads, which sound must; a plain user may have to ask the desktop for it.

use crate::kernels::priority;

/// Lets the calling thread go before others, by whatever way this user has; where there is none, all stays as it is. Waits
/// for nobody.
pub fn go_ahead() {
    let refused = priority::go_ahead();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Some((thread, nice)) = refused {
        kit::ask_to_go_ahead(thread, nice);
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = refused;
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod kit {
    use zbus::blocking::{Connection, connection::Builder};

    /// The service of desktops that does so, for whoever plays sound (RealtimeKit).
    const NAME: &str = "org.freedesktop.RealtimeKit1";
    const PATH: &str = "/org/freedesktop/RealtimeKit1";

    /// Asks RealtimeKit, without waiting for it, to let a thread of this process go before others by as much as `nice`
    /// (negative) says. Where there is no such service, all stays as it is.
    pub(super) fn ask_to_go_ahead(thread: u64, nice: i32) {
        // A bus that does not answer holds up nobody; the thread ends with the program.
        let asks = move || drop(Builder::system().and_then(Builder::build).map(|bus| ask(&bus, thread, nice)));
        drop(std::thread::Builder::new().name("atelier-ahead".to_owned()).spawn(asks));
    }

    fn ask(bus: &Connection, thread: u64, nice: i32) -> zbus::Result<()> {
        bus.call_method(Some(NAME), PATH, Some(NAME), "MakeThreadHighPriority", &(thread, nice)).map(drop)
    }

    #[cfg(test)]
    mod tests {
        use std::{
            io::{BufRead as _, BufReader},
            process::{Command, Stdio},
        };

        use crossbeam_channel::{Sender, bounded};

        use super::*;

        struct Kit(Sender<(u64, i32)>);

        #[zbus::interface(name = "org.freedesktop.RealtimeKit1")]
        impl Kit {
            fn make_thread_high_priority(&self, thread: u64, priority: i32) {
                self.0.send((thread, priority)).expect("the test waits");
            }
        }

        #[test]
        fn the_service_hears_which_thread_and_how_far() {
            // A bus of the test's own.
            let mut daemon = Command::new("dbus-daemon");
            daemon.args(["--session", "--nofork", "--print-address"]).stdout(Stdio::piped()).stderr(Stdio::null());
            let Ok(mut daemon) = daemon.spawn() else {
                eprintln!("skipped: there is no dbus-daemon");
                return;
            };
            let mut address = String::new();
            BufReader::new(daemon.stdout.take().expect("piped")).read_line(&mut address).expect("an address");
            let connect = || Builder::address(address.trim()).expect("an address");
            let user = connect().build().expect("a bus");
            assert!(ask(&user, 1, -1).is_err(), "nobody serves yet");
            let (heard, hears) = bounded(1);
            let served = connect().name(NAME).expect("a name").serve_at(PATH, Kit(heard)).expect("a path").build();
            ask(&user, 4_711, -10).expect("it answers");
            assert_eq!(hears.recv().expect("it heard"), (4_711, -10));
            drop(served.expect("a service"));
            daemon.kill().expect("it runs");
            daemon.wait().expect("it ends");
        }
    }
}
