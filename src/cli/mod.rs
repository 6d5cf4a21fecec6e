//! The command line: the studio without a window, for scripts, tests and benchmarks.
//!
//! One file a subcommand, each with its `Args` and a `run(args, &mut Output) -> cli::Result`.
//! With `--json` a subcommand prints exactly one JSON value on stdout; notes go to stderr.
//! Without a subcommand the window opens.
//! Exit codes: 0 done, 2 wrong usage, 1 anything else, with one sentence on stderr.

mod amp;
mod audio;
mod bench;
mod bench_amp;
mod bench_conv;
mod bench_dcgan;
mod bench_library;
mod bench_wavenet;
mod convert;
mod forward;
mod image;
mod models;
mod output;
mod render;
mod text;
mod train;
mod upscale;

use std::{
    ffi::OsString,
    hash::{BuildHasher as _, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
};

use clap::{Parser, Subcommand, error::ErrorKind};

pub use output::Output;

use crate::{
    Error, Lang, app, catalogue, crash,
    engine::{Engine, Settings},
};

/// Writes, paints and makes sound with models on this computer; without a command the window opens
#[derive(Debug, Parser)]
#[command(name = "atelier", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Text(text::Args),
    Audio(audio::Args),
    Amp(amp::Args),
    Image(image::Args),
    Upscale(upscale::Args),
    Train(train::Args),
    Render(render::Args),
    Bench(bench::Args),
    Forward(forward::Args),
    Convert(convert::Args),
    Models(models::Args),
}

impl Command {
    fn run(self, out: &mut Output<'_>) -> Result {
        match self {
            Self::Text(args) => text::run(&args, out),
            Self::Audio(args) => audio::run(&args, out),
            Self::Amp(args) => amp::run(&args, out),
            Self::Image(args) => image::run(&args, out),
            Self::Upscale(args) => upscale::run(&args, out),
            Self::Train(args) => train::run(&args, out),
            Self::Render(args) => render::run(&args, out),
            Self::Bench(args) => bench::run(&args, out),
            Self::Forward(args) => forward::run(&args, out),
            Self::Convert(args) => convert::run(&args, out),
            Self::Models(args) => models::run(&args, out),
        }
    }
}

/// How a subcommand ended.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a subcommand did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The arguments make no sense together; exit code 2.
    Usage(Error),
    /// Anything else; exit code 1.
    Failed(Error),
    /// Whoever read our output has left: nothing to say, and nobody to say it to.
    Unread,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs the program with the process's arguments and streams.
pub fn main() -> ExitCode {
    crash::install_hook();
    let lang = Lang::from_locale(&sys_locale::get_locale().unwrap_or_default());
    let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(run(std::env::args_os(), &mut Output::new(&mut stdout, &mut stderr, lang)))
}

/// Runs the program with these arguments (the program's name first) and returns its exit code; never panics.
pub fn run(args: impl IntoIterator<Item = OsString>, out: &mut Output<'_>) -> u8 {
    let ended = catch_unwind(AssertUnwindSafe(|| match Cli::try_parse_from(args) {
        Ok(Cli { command: Some(command) }) => command.run(out).and_then(|()| out.flush()),
        Ok(Cli { command: None }) => Ok(app::run(|waker, threads| Engine::start(waker, Settings { threads }))?),
        Err(refused) => answer(&refused, out),
    }));
    let failure = match ended {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::Failed(crash::caught(("this command", "此命令"), payload)),
    };
    let (code, error) = match failure {
        Failure::Unread => return 0,
        Failure::Usage(error) => (2, error),
        Failure::Failed(error) => (1, error),
    };
    out.note(&format!("atelier: {}", error.text(out.lang())));
    code
}

/// What clap answers instead of a command: the help and version that were asked for, or what is wrong.
fn answer(refused: &clap::Error, out: &mut Output<'_>) -> Result {
    match refused.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => out.piece(&refused.to_string()),
        _ => {
            let what = sentence(&refused.to_string());
            Err(Failure::Usage(Error::new(
                format!("{what}; “atelier --help” lists what there is."),
                format!("{what}；用“atelier --help”查看用法。"),
            )))
        }
    }
}

/// Clap's report on one line: what is wrong and the tip, without the usage.
fn sentence(report: &str) -> String {
    let mut said = String::new();
    for paragraph in report.split("\n\n") {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(what) = line.strip_prefix("error: ") {
            said.push_str(what);
        } else if let Some(tip) = line.strip_prefix("tip: ") {
            said.push_str(" (");
            said.push_str(tip);
            said.push(')');
        }
    }
    said
}

/// A random number that needs no further dependency, for a seed that nobody has chosen.
fn new_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// How a recipe names a model: a bundled one by its name; any other by where it is now, whatever folder the recipe is
/// used in.
fn recipe_name(name: &str, path: &Path) -> String {
    let bundled = catalogue::find(name).is_ok_and(|found| found.bundled && found.path == path);
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    if bundled { name.to_owned() } else { absolute() }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_report_becomes_one_line() {
        let refused = Cli::try_parse_from(["atelier", "--verion"]).expect_err("no such option");
        let line = sentence(&refused.to_string());
        assert_eq!(line, "unexpected argument '--verion' found (a similar argument exists: '--version')");
    }
}
