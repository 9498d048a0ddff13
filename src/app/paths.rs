//! Where the peer's directory and its configuration lie, by the XDG base directory specification.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The control socket's name in the peer's directory.
pub(crate) const SOCKET_FILE: &str = "control.sock";
/// The control socket of the peer that the system's service manager runs (boards/systemd/stonechat.service).
pub(crate) const SYSTEM_SOCKET: &str = "/run/stonechat/control.sock";
/// Root's daemon keeps its state where the Filesystem Hierarchy Standard 3.0, §5.8 wants it.
const ROOT_DIR: &str = "/var/lib/stonechat";
/// Root's configuration.
const ROOT_CONFIG: &str = "/etc/stonechat/config.toml";

/// What the environment says: read once, so that the rules below can be tested.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) root: bool,
    pub(crate) home: Option<OsString>,
    pub(crate) xdg_data_home: Option<OsString>,
    pub(crate) xdg_config_home: Option<OsString>,
}

impl Environment {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        Self {
            root: rustix::process::geteuid().is_root(),
            home: std::env::var_os("HOME"),
            xdg_data_home: std::env::var_os("XDG_DATA_HOME"),
            xdg_config_home: std::env::var_os("XDG_CONFIG_HOME"),
        }
    }

    /// The peer's directory unless told otherwise; none without a home.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        match absolute(&self.xdg_data_home) {
            Some(data) => Some(data.join("stonechat")),
            None if self.root => Some(ROOT_DIR.into()),
            None => Some(absolute(&self.home)?.join(".local/share/stonechat")),
        }
    }

    /// The configuration file unless told otherwise; none without a home.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        match absolute(&self.xdg_config_home) {
            Some(config) => Some(config.join("stonechat/config.toml")),
            None if self.root => Some(ROOT_CONFIG.into()),
            None => Some(absolute(&self.home)?.join(".config/stonechat/config.toml")),
        }
    }
}

/// The specification wants relative paths ignored.
fn absolute(value: &Option<OsString>) -> Option<&Path> {
    value.as_deref().map(Path::new).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(root: bool, data: &str, config: &str) -> Environment {
        let some = |text: &str| (!text.is_empty()).then(|| text.into());
        Environment { root, home: some("/home/ann"), xdg_data_home: some(data), xdg_config_home: some(config) }
    }

    #[test]
    fn xdg_is_followed() {
        let plain = environment(false, "", "");
        assert_eq!(plain.dir(), Some("/home/ann/.local/share/stonechat".into()));
        assert_eq!(plain.config(), Some("/home/ann/.config/stonechat/config.toml".into()));
        let named = environment(false, "/data", "/conf");
        assert_eq!(named.dir(), Some("/data/stonechat".into()));
        assert_eq!(named.config(), Some("/conf/stonechat/config.toml".into()));
        assert_eq!(environment(false, "relative", "").dir(), plain.dir());
    }

    #[test]
    fn root_has_a_daemons_places_unless_told_otherwise() {
        let root = environment(true, "", "");
        assert_eq!(root.dir(), Some("/var/lib/stonechat".into()));
        assert_eq!(root.config(), Some("/etc/stonechat/config.toml".into()));
        assert_eq!(environment(true, "/data", "").dir(), Some("/data/stonechat".into()));
    }

    #[test]
    fn without_a_home_there_is_no_default() {
        assert_eq!(Environment::default().dir(), None);
        assert_eq!(Environment::default().config(), None);
    }
}
