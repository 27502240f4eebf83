//! Programs that tests need, installed by their names where they are missing.

use std::{path::PathBuf, process::Command};

use nix::unistd::geteuid;

use crate::process::{Outcome, output_of, variable, which};

/// Makes sure that a program is there, which a package of Debian holds.
///
/// # Errors
///
/// If it is missing and this process may not install it: then it says what to install.
pub fn ensure(program: &str, package: &str) -> Outcome {
    if which(program).is_some() {
        return Ok(());
    }
    apt_get(program, package)
}

/// Installs a package of Debian by its name. Only root can.
pub(crate) fn apt_get(missing: &str, package: &str) -> Outcome {
    if !geteuid().is_root() || which("apt-get").is_none() {
        return Err(format!(
            "{missing} is missing: install it, on Debian with `sudo apt-get install \
             --no-install-recommends {package}`"
        )
        .into());
    }
    eprintln!("{missing} is missing: installing the package {package}");
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    output_of(apt_get().arg("update"))?;
    output_of(apt_get().args(["install", "-y", "--no-install-recommends", package]))?;
    Ok(())
}

/// The folder for what is fetched once and used by many runs.
pub(crate) fn cache() -> Outcome<PathBuf> {
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or_else(home).ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("tokenwright"))
}
