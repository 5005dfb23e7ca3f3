//! The page at `/`: chooses a model, sends a file or a row, draws the answer. All of it is in the program.
//!
//! The policy lets the browser load nothing but these files and ask nobody but this server, so nothing that is sent or
//! answered can leave it.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::response::IntoResponse;
use axum::routing::get;

/// What the browser may do with the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Path, media type and text of each file of the page.
pub(super) const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/chart.js", "text/javascript; charset=utf-8", include_str!("chart.js")),
];

/// Returns the routes of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let file = |(path, media_type, text)| (path, get(move || async move { respond(media_type, text) }));
    FILES.into_iter().map(file).fold(Router::new(), |router, (path, file)| router.route(path, file))
}

fn respond(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_its_script_asks_for_and_names_no_other_host() {
        let [(_, _, page), (_, _, style), (_, _, script), (_, _, chart)] = FILES;
        for id in script.split("$(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"{id}\"")), "page.html has no `{id}`");
        }
        for kind in chart.split("class: \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(kind == "head" || style.contains(&format!(".{kind}")), "page.css has no `.{kind}`");
        }
        for (path, _, text) in FILES {
            let hosts = text.matches("://").count() - text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(hosts, 0, "{path} names another host");
            for inline in ["style=\"", "onclick=", "javascript:", "eval(", "innerHTML", "document.write"] {
                assert!(!text.contains(inline), "{path}: {inline}");
            }
        }
    }
}
