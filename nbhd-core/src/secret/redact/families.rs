//! Beginnings by which the keys and tokens of providers are known.
//!
//! Facts from the providers' own pages and from the public rules of secret scanners (GitHub's list of supported patterns, gitleaks
//! 8.30), read on 2026-11-21. The numbers here are lower than theirs: a key that was cut is still most of a key.

use std::sync::LazyLock;

use super::shapes::{is_token, run};

/// What follows the beginning.
#[derive(Clone, Copy)]
enum Then {
    /// At least this many characters of a token.
    Any(usize),
    /// At least this many, slashes among them.
    Slashes(usize),
    /// At least this many, one of the first of them a digit: for beginnings that are also words.
    Digit(usize),
    /// At least this many hexadecimal digits.
    Hex(usize),
}

/// How far a token is looked through for a digit.
const NEAR: usize = 64;

use Then::{Any, Digit, Hex, Slashes};

/// Provider, beginning, what follows.
type Family = (&'static str, &'static str, Then);

const FAMILIES: &[Family] = &[
    ("1Password", "ops_eyJ", Any(16)),
    ("1Password", "A3-", Digit(20)),
    ("Adobe", "p8e-", Any(16)),
    ("age", "AGE-SECRET-KEY-1", Any(8)),
    ("Airtable", "pat", Digit(60)),
    ("Alibaba", "LTAI", Any(16)),
    ("Amazon", "AKIA", Any(12)),
    ("Amazon", "ASIA", Any(12)),
    ("Amazon", "ABIA", Any(12)),
    ("Amazon", "ACCA", Any(12)),
    ("Amazon", "ABSK", Any(60)),
    ("Amazon", "bedrock-api-key-", Any(16)),
    ("Anthropic", "sk-ant-", Any(8)),
    ("Artifactory", "AKCp", Any(32)),
    ("Atlassian", "ATATT3", Any(16)),
    ("Brevo", "xkeysib-", Any(16)),
    ("Cloudflare", "v1.0-", Hex(24)),
    ("Clojars", "CLOJARS_", Any(16)),
    ("Databricks", "dapi", Hex(16)),
    ("DigitalOcean", "dop_v1_", Any(16)),
    ("DigitalOcean", "doo_v1_", Any(16)),
    ("DigitalOcean", "dor_v1_", Any(16)),
    ("Docker", "dckr_pat_", Any(8)),
    ("Docker", "dckr_oat_", Any(8)),
    ("Doppler", "dp.pt.", Any(16)),
    ("Doppler", "dp.st.", Any(16)),
    ("Duffel", "duffel_test_", Any(16)),
    ("Duffel", "duffel_live_", Any(16)),
    ("Dynatrace", "dt0c01.", Any(16)),
    ("EasyPost", "EZAK", Any(32)),
    ("EasyPost", "EZTK", Any(32)),
    ("Facebook", "EAAM", Any(40)),
    ("Facebook", "EAAC", Any(40)),
    ("Facebook", "EAAG", Any(40)),
    ("Fly.io", "fo1_", Any(16)),
    ("Fly.io", "fm1r_", Slashes(16)),
    ("Fly.io", "fm1a_", Slashes(16)),
    ("Fly.io", "fm2_", Slashes(16)),
    ("GitHub", "ghp_", Any(8)),
    ("GitHub", "gho_", Any(8)),
    ("GitHub", "ghu_", Any(8)),
    ("GitHub", "ghs_", Any(8)),
    ("GitHub", "ghr_", Any(8)),
    ("GitHub", "github_pat_", Any(8)),
    ("GitLab", "glpat-", Any(8)),
    ("GitLab", "gldt-", Any(12)),
    ("GitLab", "glft-", Any(12)),
    ("GitLab", "glimt-", Any(12)),
    ("GitLab", "glagent-", Any(12)),
    ("GitLab", "gloas-", Any(12)),
    ("GitLab", "glptt-", Any(12)),
    ("GitLab", "glrt-", Any(12)),
    ("GitLab", "glcbt-", Any(12)),
    ("GitLab", "glsoat-", Any(12)),
    ("GitLab", "glffct-", Any(12)),
    ("GitLab", "GR1348941", Any(12)),
    ("Google", "ya29.", Any(8)),
    ("Google", "1//", Slashes(8)),
    ("Google", "4/0A", Slashes(8)),
    ("Google", "GOCSPX-", Any(8)),
    ("Google", "AIza", Any(16)),
    ("Grafana", "glc_", Slashes(24)),
    ("Grafana", "glsa_", Any(16)),
    ("Groq", "gsk_", Any(16)),
    ("HashiCorp Vault", "hvs.", Any(16)),
    ("HashiCorp Vault", "hvb.", Any(16)),
    ("HashiCorp Vault", "hvr.", Any(16)),
    ("Heroku", "HRKU-AA", Any(16)),
    ("Hugging Face", "hf_", Any(16)),
    ("Hugging Face", "api_org_", Any(24)),
    ("Infracost", "ico-", Digit(24)),
    // The header of a JSON Web Token, and of whatever else is base64 of a JSON object.
    ("JWT", "eyJ", Any(8)),
    ("Linear", "lin_api_", Any(8)),
    ("Linear", "lin_oauth_", Any(8)),
    ("Mailgun", "key-", Hex(24)),
    ("Mapbox", "sk.eyJ", Any(16)),
    ("Mapbox", "pk.eyJ", Any(16)),
    ("Notion", "ntn_", Any(16)),
    ("Notion", "secret_", Digit(32)),
    ("npm", "npm_", Any(16)),
    ("NVIDIA", "nvapi-", Any(16)),
    // OpenAI, and the many that took its form: DeepSeek, Moonshot, OpenRouter …
    ("OpenAI", "sk-", Any(8)),
    ("Perplexity", "pplx-", Any(16)),
    ("PlanetScale", "pscale_", Any(24)),
    ("Postman", "PMAK-", Any(16)),
    ("Prefect", "pnu_", Any(24)),
    ("Pulumi", "pul-", Hex(24)),
    ("PyPI", "pypi-AgE", Any(16)),
    ("ReadMe", "rdme_", Any(24)),
    ("Replicate", "r8_", Any(16)),
    ("RubyGems", "rubygems_", Hex(16)),
    ("SendGrid", "SG.", Any(16)),
    ("Sentry", "sntrys_", Slashes(16)),
    ("Sentry", "sntryu_", Any(16)),
    ("Shippo", "shippo_live_", Any(16)),
    ("Shippo", "shippo_test_", Any(16)),
    ("Shopify", "shpat_", Any(16)),
    ("Shopify", "shpca_", Any(16)),
    ("Shopify", "shppa_", Any(16)),
    ("Shopify", "shpss_", Any(16)),
    ("Slack", "xoxa-", Any(8)),
    ("Slack", "xoxb-", Any(8)),
    ("Slack", "xoxc-", Any(8)),
    ("Slack", "xoxd-", Any(8)),
    ("Slack", "xoxe-", Any(8)),
    ("Slack", "xoxe.xox", Any(8)),
    ("Slack", "xoxo-", Any(8)),
    ("Slack", "xoxp-", Any(8)),
    ("Slack", "xoxr-", Any(8)),
    ("Slack", "xoxs-", Any(8)),
    ("Slack", "xapp-", Any(8)),
    ("Sourcegraph", "sgp_", Any(24)),
    ("Square", "sq0atp-", Any(12)),
    ("Square", "sq0csp-", Any(12)),
    ("Square", "EAAA", Any(24)),
    ("Stripe", "sk_live_", Any(8)),
    ("Stripe", "sk_test_", Any(8)),
    ("Stripe", "rk_live_", Any(8)),
    ("Stripe", "rk_test_", Any(8)),
    ("Stripe", "whsec_", Slashes(8)),
    ("Supabase", "sbp_", Any(16)),
    ("Tailscale", "tskey-", Any(8)),
    ("Tavily", "tvly-", Any(16)),
    ("Twilio", "SK", Hex(32)),
    ("Vercel", "vcp_", Any(20)),
    ("xAI", "xai-", Any(16)),
    ("Yandex", "y0_", Any(24)),
    ("Yandex", "AQVN", Any(24)),
];

/// The rows by their first letter: most words begin like none.
static BY_LETTER: LazyLock<[Vec<&'static Family>; 128]> = LazyLock::new(|| {
    std::array::from_fn(|letter| {
        FAMILIES
            .iter()
            .filter(|(_, prefix, _)| usize::from(prefix.as_bytes()[0]) == letter)
            .collect()
    })
});

/// The length of the key or token that `bytes` begin with. Families that begin alike stand in any order: the first that fits hides
/// all of it.
pub(super) fn token_of_a_family(bytes: &[u8]) -> Option<usize> {
    let rows = BY_LETTER.get(usize::from(*bytes.first()?))?;
    super::work::count(rows.len());
    rows.iter()
        .filter(|(_, prefix, _)| bytes.starts_with(prefix.as_bytes()))
        .find_map(|(_, prefix, then)| {
            let rest = &bytes[prefix.len()..];
            let (length, least) = match *then {
                Any(least) => (run(rest, is_token), least),
                Slashes(least) => (run(rest, |byte| is_token(byte) || byte == b'/'), least),
                Digit(least) => {
                    let near = &rest[..rest.len().min(NEAR)];
                    let has_digit = near[..run(near, is_token)].iter().any(u8::is_ascii_digit);
                    (if has_digit { run(rest, is_token) } else { 0 }, least)
                }
                Hex(least) => {
                    let digits = run(rest, |byte| byte.is_ascii_hexdigit());
                    (if digits >= least { run(rest, is_token) } else { 0 }, least)
                }
            };
            (length >= least).then_some(prefix.len() + length)
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::redact;
    use super::{Any, Digit, FAMILIES, Hex, Slashes, token_of_a_family};

    #[test]
    fn at_least_twenty_providers_and_each_row_is_met() {
        let providers: BTreeSet<&str> = FAMILIES.iter().map(|(provider, ..)| *provider).collect();
        assert!(providers.len() >= 20, "{}", providers.len());
        for (provider, prefix, then) in FAMILIES {
            let (Any(least) | Slashes(least) | Digit(least) | Hex(least)) = *then;
            let whole = format!("{prefix}{}", &"0a1b2c3d4e5f6789".repeat(8)[..least]);
            assert_eq!(
                token_of_a_family(whole.as_bytes()),
                Some(whole.len()),
                "{provider}"
            );
            for (before, after) in [
                ("", ""),
                ("key=", ""),
                ("(", ")"),
                ("\"", "\""),
                ("%20", ","),
                ("\\n", "\\n"),
            ] {
                let clean = redact(&format!("{before}{whole}{after}"));
                assert!(!clean.contains(&whole[prefix.len()..]), "{provider}: {clean}");
            }
        }
    }
}
