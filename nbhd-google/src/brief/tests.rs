//! Briefs from facts, and what the validator lets through.

use proptest::prelude::*;

use crate::brief::*;

fn at(time: &str) -> chrono::DateTime<chrono::FixedOffset> {
    time.parse().expect("a time")
}

fn timed(id: &str, title: &str, start: &str, end: &str) -> BriefEvent {
    BriefEvent::new(
        id,
        title,
        EventSpan::Timed {
            start: at(start),
            end: at(end),
        },
    )
}

/// A Monday morning in Berlin.
fn monday() -> BriefInput {
    let day = EventSpan::AllDay {
        start: "2026-01-05".parse().expect("a day"),
        end: "2026-01-07".parse().expect("a day"),
    };
    let mut list = BriefMessage::new("m3")
        .with_subject("Weekly [deals](http://x)")
        .with_text("Please buy by Friday.")
        .with_unread(true);
    list.bulk = true;
    BriefInput::new(at("2026-01-05T08:00:00+01:00"), "Europe/Berlin")
        .with_own_addresses(["Me@x.org"])
        .with_messages([
            BriefMessage::new("m1")
                .with_subject("Contract")
                .with_from("Ada", "ada@x.org")
                .with_unread(true)
                .with_received(at("2026-01-05T07:00:00+01:00"))
                .with_text("Hi,\n\nI have sent you the contract. Could you sign it\nby tomorrow at 5 pm? Please find the annex attached.\n\nThe lake was lovely."),
            BriefMessage::new("m2").with_subject("Lunch").with_from("Bob", "bob@x.org").with_received(at("2026-01-01T12:00:00Z")).with_text("Noon on Friday was nice."),
            list,
            BriefMessage::new("m4").with_subject("mine").with_from("Me", "me@x.org").with_text("Please call me back by Friday").with_received(at("2026-01-05T07:30:00+01:00")),
        ])
        .with_events([
            timed("e1", "Standup", "2026-01-05T09:00:00+01:00", "2026-01-05T09:30:00+01:00"),
            timed("e2", "Dentist", "2026-01-05T08:15:00Z", "2026-01-05T09:15:00Z"),
            timed("e3", "Yesterday", "2026-01-04T09:00:00+01:00", "2026-01-04T10:00:00+01:00"),
            timed("e4", "Early", "2026-01-06T07:00:00+01:00", "2026-01-06T07:30:00+01:00").with_response(ResponseStatus::NeedsAction),
            BriefEvent::new("e5", "Fair", day),
        ])
        .with_busy([
            BriefBusy::Interval { calendar: "team".into(), start: at("2026-01-06T07:10:00+01:00"), end: at("2026-01-06T09:00:00+01:00") },
            BriefBusy::Unknown { calendar: "boss".into(), reason: "notFound".into() },
        ])
        .with_gap("48 of 50 messages were read.")
}

fn refs<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    items.into_iter().collect()
}

#[test]
fn mail_events_and_requests_come_together() {
    let brief = build(&monday()).expect("a brief");
    assert_eq!(
        refs(brief.inbox.new.iter().map(|item| item.source_ref.as_str())),
        ["gmail:m1"]
    );
    assert_eq!(
        refs(brief.inbox.unread.iter().map(|item| item.source_ref.as_str())),
        ["gmail:m1", "gmail:m3"]
    );
    assert_eq!(
        refs(
            brief
                .inbox
                .high_priority
                .iter()
                .map(|item| item.source_ref.as_str())
        ),
        ["gmail:m1"]
    );
    assert_eq!(
        refs(brief.calendar.today.iter().map(|item| item.source_ref.as_str())),
        ["gcal:e5", "gcal:e1", "gcal:e2"]
    );
    assert_eq!(
        refs(
            brief
                .calendar
                .next_24h
                .iter()
                .map(|item| item.source_ref.as_str())
        ),
        ["gcal:e5", "gcal:e1", "gcal:e2", "gcal:e4"]
    );
    assert_eq!(brief.calendar.today[2].start, "2026-01-05T09:15:00+01:00");
    assert_eq!(brief.calendar.conflicts.len(), 2);
    assert_eq!(brief.calendar.conflicts[0].refs, ["gcal:e1", "gcal:e2"]);
    assert_eq!(
        (
            brief.calendar.conflicts[0].start.as_str(),
            brief.calendar.conflicts[0].end.as_str()
        ),
        ("2026-01-05T09:15:00+01:00", "2026-01-05T09:30:00+01:00")
    );
    assert_eq!(brief.calendar.conflicts[1].refs, ["gcal:e4"]);
    let actions: Vec<_> = brief
        .actions
        .iter()
        .map(|item| (item.task.as_str(), item.due.as_deref(), item.source_ref.as_str()))
        .collect();
    assert_eq!(
        actions,
        [
            (
                "Answer the invitation: Early",
                Some("2026-01-06T07:00:00+01:00"),
                "gcal:e4"
            ),
            (
                "Could you sign it by tomorrow at 5 pm?",
                Some("2026-01-06T17:00:00+01:00"),
                "gmail:m1"
            ),
        ]
    );
    assert_eq!(brief.uncertainty.len(), 3, "{:?}", brief.uncertainty);
}

#[test]
fn what_is_built_passes_its_own_check() {
    let input = monday();
    let brief = build(&input).expect("a brief");
    let text = serde_json::to_string(&brief).expect("JSON");
    assert_eq!(validate(&text, &Fetched::of(&input)).expect("valid"), brief);
    assert_eq!(
        validate(
            &format!("Here it is:\n```json\n{text}\n```\n"),
            &Fetched::of(&input)
        )
        .expect("valid"),
        brief
    );
}

#[test]
fn markdown_names_every_source_and_escapes_what_others_wrote() {
    let text = build(&monday()).expect("a brief").to_markdown();
    for source_ref in ["gmail:m1", "gmail:m3", "gcal:e1", "gcal:e4", "gcal:e1, gcal:e2"] {
        assert!(
            text.contains(&format!("`{source_ref}`")),
            "{source_ref} in {text}"
        );
    }
    assert!(text.contains("Weekly \\[deals\\](http://x)"), "{text}");
    assert!(text.contains("- 09:00–09:30 Standup `gcal:e1`"), "{text}");
    assert!(text.contains("- Tue 6 Jan 07:00–07:30 Early `gcal:e4`"), "{text}");
    assert!(
        text.contains("- **Conflict** 09:15–09:30: Standup / Dentist: two events overlap `gcal:e1, gcal:e2`"),
        "{text}"
    );
    assert!(
        text.contains(
            "- **Conflict** Tue 6 Jan 07:10–07:30: Early: falls into a busy time of team `gcal:e4`"
        ),
        "{text}"
    );
    assert!(text.contains("due Tue 6 Jan 17:00"), "{text}");
    assert!(
        text.contains("asks for something by Tue 6 Jan 17:00 `gmail:m1`"),
        "{text}"
    );
    assert!(!text.contains("2026-01"), "{text}");
}

#[test]
fn every_problem_of_an_answer_is_named() {
    let answer = serde_json::json!({
        "inbox": {
            "new": [{"source_ref": "gmail:nobody"}, {"source_ref": "gmail:m1", "subject": "Contract worth millions"}],
            "high_priority": [{"source_ref": "gcal:e1", "why": "I have sent a reply"}],
        },
        "calendar": {"today": [{"source_ref": "gcal:e1", "title": "STANDUP"}], "conflicts": [{"refs": []}]},
        "actions": [
            {"task": "I deleted the newsletter", "source_ref": "gmail:m3", "confidence": 0.9},
            {"task": "", "source_ref": "reddit:t3_x"},
            {"task": "Read gmail:m9 and gmail:m1.", "source_ref": "gmail:m1", "confidence": "high"},
        ],
    });
    let problems = validate_value(answer, &Fetched::of(&monday()))
        .expect_err("many problems")
        .problems;
    let found: Vec<_> = problems
        .iter()
        .map(|problem| (problem.path.as_str(), problem.kind))
        .collect();
    assert_eq!(
        found,
        [
            ("inbox.new[0].source_ref", ProblemKind::UnknownRef),
            ("inbox.new[1].subject", ProblemKind::NotAsFetched),
            ("inbox.high_priority[0].source_ref", ProblemKind::MalformedRef),
            ("inbox.high_priority[0].why", ProblemKind::ClaimsWrite),
            ("calendar.conflicts[0].refs", ProblemKind::MalformedRef),
            ("actions[0].task", ProblemKind::ClaimsWrite),
            ("actions[1].source_ref", ProblemKind::MalformedRef),
            ("actions[1].task", ProblemKind::Empty),
            ("actions[2].task", ProblemKind::UnknownRef),
        ]
    );
    for text in [
        "",
        "no JSON",
        "[]",
        "{\"actions\": 1}",
        "{\"actions\":[{\"task\":\"x\"}]}",
        "{\"actions\":[{\"task\":\"x\",\"source_ref\":\"gmail:m1\",\"confidence\":7}]}",
    ] {
        let problems = validate(text, &Fetched::of(&monday())).expect_err(text).problems;
        assert_eq!(problems[0].kind, ProblemKind::Shape, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mail_gives_a_brief_that_passes_its_own_check(subject in ".{0,60}", text in "(?s)(.{0,80}|please |by friday |I have sent |2026-01-05 |gmail:x )*", from in ".{0,20}") {
        let input = BriefInput::new(at("2026-03-29T01:30:00+01:00"), "Europe/Berlin")
            .with_messages([BriefMessage::new("m").with_subject(subject).with_text(text).with_from(from, "a@x.org").with_received(at("2026-03-29T00:00:00Z"))]);
        let brief = build(&input).expect("a brief");
        let _ = brief.to_markdown();
        let value = serde_json::to_value(&brief).expect("JSON");
        let valid = validate_value(value, &Fetched::of(&input));
        prop_assert!(valid.is_ok(), "{:?}", valid);
    }

    #[test]
    fn no_answer_breaks_the_validator(answer in "(?s).{0,200}") {
        let _ = validate(&answer, &Fetched::new());
    }
}
