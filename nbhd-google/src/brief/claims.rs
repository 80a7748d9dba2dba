//! Sentences that claim a write was done. A brief only reads: "I have sent the reply" is false whoever writes it.

/// Words with which a first person begins such a claim. Lower case.
const FIRST_PERSON: &[&str] = &["i ", "i've ", "i\u{2019}ve ", "we ", "we've ", "we\u{2019}ve "];
/// Words that may stand between. Lower case.
const BETWEEN: &[&str] = &[
    "have",
    "has",
    "had",
    "just",
    "already",
    "also",
    "now",
    "successfully",
    "went",
    "ahead",
    "and",
    "then",
];
/// What a brief never does. Lower case.
const DONE: &[&str] = &[
    "sent",
    "replied",
    "answered",
    "responded",
    "forwarded",
    "emailed",
    "deleted",
    "removed",
    "trashed",
    "archived",
    "moved",
    "marked",
    "labelled",
    "labeled",
    "starred",
    "accepted",
    "declined",
    "rsvp'd",
    "scheduled",
    "rescheduled",
    "booked",
    "cancelled",
    "canceled",
    "created",
    "updated",
    "changed",
    "edited",
    "invited",
    "added",
    "unsubscribed",
    "drafted",
    "paid",
    "confirmed",
];
/// Claims in other languages, and impersonal ones that name their object first. Lower case.
const PHRASES: &[&str] = &[
    "ich habe gesendet",
    "ich habe gelöscht",
    "ich habe geantwortet",
    "ich habe beantwortet",
    "ich habe archiviert",
    "ich habe zugesagt",
    "ich habe abgesagt",
    "j'ai envoyé",
    "j'ai supprimé",
    "j'ai répondu",
    "j'ai archivé",
    "j'ai accepté",
    "he enviado",
    "he eliminado",
    "he borrado",
    "he respondido",
    "ho inviato",
    "ho eliminato",
    "ho risposto",
    "enviei ",
    "eu enviei",
    "your reply has been sent",
    "your reply was sent",
    "reply has been sent",
    "email has been deleted",
    "message has been deleted",
    "has been archived for you",
    "on your behalf",
];

/// Whether the text claims that something was written, sent, changed or deleted by its author.
pub(super) fn claims_a_write(text: &str) -> bool {
    let text = text.to_lowercase();
    if PHRASES.iter().any(|phrase| text.contains(phrase)) || german(&text) {
        return true;
    }
    FIRST_PERSON.iter().any(|person| {
        text.match_indices(person).any(|(at, _)| {
            let begins = text[..at]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric());
            begins
                && text[at + person.len()..]
                    .split_whitespace()
                    .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\''))
                    .take(6)
                    .find(|word| !BETWEEN.contains(word))
                    .is_some_and(|word| DONE.contains(&word))
        })
    })
}

/// "ich habe die Mail gesendet": the verb stands at the end of the clause.
fn german(text: &str) -> bool {
    const VERBS: &[&str] = &[
        "gesendet",
        "verschickt",
        "gelöscht",
        "archiviert",
        "beantwortet",
        "geantwortet",
        "weitergeleitet",
        "verschoben",
        "zugesagt",
        "abgesagt",
        "eingetragen",
    ];
    text.match_indices("ich habe ").any(|(at, begin)| {
        let clause = text[at + begin.len()..]
            .split(['.', '!', '?', ';', ','])
            .next()
            .unwrap_or_default();
        clause
            .split_whitespace()
            .take(12)
            .any(|word| VERBS.contains(&word))
    })
}

#[cfg(test)]
mod tests {
    use super::claims_a_write;

    #[test]
    fn claims_are_found_and_tasks_are_not() {
        for claim in [
            "I have sent the reply to Bob.",
            "I've already deleted it",
            "Done: I went ahead and archived the newsletter",
            "we just accepted the invitation",
            "Ich habe die Mail an Bob gesendet.",
            "J'ai envoyé la réponse",
            "Replied on your behalf",
        ] {
            assert!(claims_a_write(claim), "{claim}");
        }
        for task in [
            "Send the report to Bob",
            "Reply to Ada: she sent the contract",
            "Delete the old invoices?",
            "Ask whether the invoice was paid",
            "I think Bob sent it twice",
            "Check what Ravi sent",
        ] {
            assert!(!claims_a_write(task), "{task}");
        }
    }
}
