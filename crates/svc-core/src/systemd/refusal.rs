//! What the bus and the manager say when they do not do as asked, in our words.

use zbus::DBusError as _;

use super::SystemdError;

/// What an error means, before it is known what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody is there.
    Unreachable,
    /// The caller may not.
    Denied,
    /// The unit does not exist or cannot be loaded.
    NoUnit,
    /// A job that may not be replaced is in the way: while the machine shuts down, all of those are stops.
    Destructive,
    /// The manager is going down.
    ShuttingDown,
    /// Anything else.
    Other,
}

/// What the error means.
pub(super) fn kind(error: &zbus::Error) -> Kind {
    use zbus::Error;
    let name = match error {
        Error::InputOutput(_) | Error::Connection(..) | Error::Handshake(_) | Error::Address(_) => {
            return Kind::Unreachable;
        }
        Error::MethodError(name, ..) => name.as_str().to_owned(),
        Error::FDO(error) => error.name().to_string(),
        _ => return Kind::Other,
    };
    kind_of_name(&name)
}

fn kind_of_name(name: &str) -> Kind {
    if let Some(word) = name.strip_prefix("org.freedesktop.systemd1.") {
        return match word {
            "NoSuchUnit" | "LoadFailed" | "BadUnitSetting" | "UnitMasked" => Kind::NoUnit,
            "TransactionIsDestructive" => Kind::Destructive,
            "ShuttingDown" => Kind::ShuttingDown,
            _ => Kind::Other,
        };
    }
    match name.strip_prefix("org.freedesktop.DBus.Error.") {
        Some("AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed") => Kind::Denied,
        Some("ServiceUnknown" | "NameHasNoOwner" | "NoReply" | "Disconnected" | "NoServer") => {
            Kind::Unreachable
        }
        _ => Kind::Other,
    }
}

/// What the other side said, without the name of the error.
pub(super) fn reason(error: &zbus::Error) -> String {
    let said = match error {
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        zbus::Error::FDO(error) => error.description().unwrap_or_default().to_owned(),
        zbus::Error::Connection(error, _) | zbus::Error::InputOutput(error) => error.to_string(),
        _ => String::new(),
    };
    if said.is_empty() { error.to_string() } else { said }
}

/// The error of something asked about one unit.
pub(super) fn about_unit(address: &str, action: &str, unit: &str, error: &zbus::Error) -> SystemdError {
    let (unit, action) = (unit.to_owned(), action.to_owned());
    match kind(error) {
        Kind::Unreachable => SystemdError::Unreachable { address: address.to_owned(), reason: reason(error) },
        Kind::Denied => SystemdError::Denied { action, unit },
        Kind::NoUnit => SystemdError::NoUnit { unit, reason: reason(error) },
        Kind::ShuttingDown => SystemdError::ShuttingDown { unit },
        Kind::Destructive | Kind::Other => {
            SystemdError::Refused { action: format!("{action} `{unit}`"), reason: reason(error) }
        }
    }
}

/// The error of a question.
pub(super) fn about(address: &str, action: &str, error: &zbus::Error) -> SystemdError {
    match kind(error) {
        Kind::Unreachable => SystemdError::Unreachable { address: address.to_owned(), reason: reason(error) },
        _ => SystemdError::Refused { action: action.to_owned(), reason: reason(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_kind() {
        let table = [
            ("org.freedesktop.systemd1.NoSuchUnit", Kind::NoUnit),
            ("org.freedesktop.systemd1.UnitMasked", Kind::NoUnit),
            ("org.freedesktop.systemd1.TransactionIsDestructive", Kind::Destructive),
            ("org.freedesktop.systemd1.ShuttingDown", Kind::ShuttingDown),
            ("org.freedesktop.systemd1.OnlyByDependency", Kind::Other),
            ("org.freedesktop.DBus.Error.AccessDenied", Kind::Denied),
            ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", Kind::Denied),
            ("org.freedesktop.DBus.Error.ServiceUnknown", Kind::Unreachable),
            ("org.freedesktop.DBus.Error.InvalidArgs", Kind::Other),
            ("com.example.Odd", Kind::Other),
        ];
        for (name, kind) in table {
            assert_eq!(kind_of_name(name), kind, "{name}");
        }
    }
}
