//! The program: hands over to the command line and returns its exit code.

fn main() -> std::process::ExitCode {
    atelier::cli::main()
}
