//! Gmail's labels from what other formats say: Takeout's `X-Gmail-Labels`, Maildir flags, mbox status fields.

/// Takeout writes the names that the user saw. The system's names in English, German, French and Spanish exports;
/// an empty name stands for "no label" (the archive has none, and "opened" is the absence of `UNREAD`).
const SEEN_NAMES: [(&str, &str); 42] = [
    ("inbox", "INBOX"),
    ("posteingang", "INBOX"),
    ("boîte de réception", "INBOX"),
    ("recibidos", "INBOX"),
    ("unread", "UNREAD"),
    ("ungelesen", "UNREAD"),
    ("non lus", "UNREAD"),
    ("no leído", "UNREAD"),
    ("starred", "STARRED"),
    ("markiert", "STARRED"),
    ("suivis", "STARRED"),
    ("destacados", "STARRED"),
    ("important", "IMPORTANT"),
    ("wichtig", "IMPORTANT"),
    ("importants", "IMPORTANT"),
    ("importante", "IMPORTANT"),
    ("sent", "SENT"),
    ("gesendet", "SENT"),
    ("messages envoyés", "SENT"),
    ("enviados", "SENT"),
    ("draft", "DRAFT"),
    ("drafts", "DRAFT"),
    ("entwürfe", "DRAFT"),
    ("brouillons", "DRAFT"),
    ("borradores", "DRAFT"),
    ("spam", "SPAM"),
    ("trash", "TRASH"),
    ("papierkorb", "TRASH"),
    ("corbeille", "TRASH"),
    ("papelera", "TRASH"),
    ("chat", "CHAT"),
    ("category personal", "CATEGORY_PERSONAL"),
    ("category social", "CATEGORY_SOCIAL"),
    ("category promotions", "CATEGORY_PROMOTIONS"),
    ("category updates", "CATEGORY_UPDATES"),
    ("category forums", "CATEGORY_FORUMS"),
    ("archived", ""),
    ("archiviert", ""),
    ("archivés", ""),
    ("opened", ""),
    ("geöffnet", ""),
    ("ouvert", ""),
];

/// The labels that `X-Gmail-Labels` lists. Names that are no system label stay as the user wrote them.
pub(super) fn from_takeout(field: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for name in field.split(',') {
        let name = name.trim().trim_matches('"').trim();
        let lower = name.to_lowercase();
        let label = SEEN_NAMES
            .iter()
            .find(|(seen, _)| *seen == lower)
            .map_or(name, |(_, label)| *label);
        add(&mut labels, label);
    }
    labels
}

/// The labels of a message in a Maildir: its place (`new`, or `cur` with flags) and the folder's name.
pub(super) fn from_maildir(new: bool, flags: &str, folder: Option<&str>) -> Vec<String> {
    let mut labels = Vec::new();
    if new || !flags.contains('S') {
        add(&mut labels, "UNREAD");
    }
    if flags.contains('F') {
        add(&mut labels, "STARRED");
    }
    let place = match folder.map(str::to_lowercase).as_deref() {
        _ if flags.contains('T') => "TRASH",
        _ if flags.contains('D') => "DRAFT",
        None | Some("" | "inbox") => "INBOX",
        Some("sent" | "sent messages" | "sent items") => "SENT",
        Some("drafts") => "DRAFT",
        Some("trash" | "deleted messages" | "deleted items") => "TRASH",
        Some("junk" | "spam") => "SPAM",
        Some("archive") => "",
        Some(_) => folder.unwrap_or_default(),
    };
    add(&mut labels, place);
    labels
}

/// The labels that the status fields of mbox programs say: `Status` (`R` read), `X-Status` (`F` flagged, `T` draft,
/// `D` deleted).
pub(super) fn from_status(status: Option<&str>, x_status: Option<&str>) -> Vec<String> {
    let mut labels = Vec::new();
    let read = status.is_some_and(|status| status.contains('R'));
    let more = x_status.unwrap_or_default();
    if !read {
        add(&mut labels, "UNREAD");
    }
    if more.contains('F') {
        add(&mut labels, "STARRED");
    }
    add(
        &mut labels,
        match () {
            () if more.contains('D') => "TRASH",
            () if more.contains('T') => "DRAFT",
            () => "INBOX",
        },
    );
    labels
}

fn add(labels: &mut Vec<String>, label: &str) {
    if !label.is_empty() && !labels.iter().any(|have| have == label) {
        labels.push(label.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::{from_maildir, from_status, from_takeout};

    #[test]
    fn takeout_names_become_labels() {
        assert_eq!(
            from_takeout("Inbox,Category updates,Opened,Rechnungen 2024"),
            ["INBOX", "CATEGORY_UPDATES", "Rechnungen 2024"]
        );
        assert_eq!(
            from_takeout("Posteingang,Ungelesen,Wichtig"),
            ["INBOX", "UNREAD", "IMPORTANT"]
        );
    }

    #[test]
    fn flags_become_labels() {
        assert_eq!(from_maildir(true, "", None), ["UNREAD", "INBOX"]);
        assert_eq!(from_maildir(false, "FS", Some("Work")), ["STARRED", "Work"]);
        assert_eq!(from_maildir(false, "RS", Some("Sent")), ["SENT"]);
        assert_eq!(from_maildir(false, "ST", None), ["TRASH"]);
        assert_eq!(from_status(Some("RO"), Some("F")), ["STARRED", "INBOX"]);
        assert_eq!(from_status(None, None), ["UNREAD", "INBOX"]);
    }
}
