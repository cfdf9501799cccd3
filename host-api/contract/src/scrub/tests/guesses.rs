//! A connector that guesses: what it wrote into the request itself, and what it can learn from the answer about its guess.

use super::*;

/// What is left of an answer to a request with these texts of the connector's own.
fn answer(secret: &str, own: &[&str], answer: &str) -> String {
    let own: Vec<&[u8]> = own.iter().map(|own| own.as_bytes()).collect();
    left(&scrub_beside(&[secret.as_bytes()], &own).unwrap(), answer)
}

const SECRET: &str = "Hunter2-horse";
const WRONG: &str = "Hunter3-horse";

#[test]
fn a_guess_that_the_answer_repeats_looks_the_same_whether_it_is_right_or_wrong() {
    for page in [
        "<input name=q value=GUESS>",
        "you searched for GUESS, and found nothing",
        "<form action='/login?q=GUESS&x=1'>",
        "{\"error\":\"no GUESS\"}",
    ] {
        let [right, wrong] = [SECRET, WRONG].map(|guess| {
            let left = answer(SECRET, &["x", guess, "login"], &page.replace("GUESS", guess));
            left.replace(guess, "GUESS")
        });
        assert_eq!(right, wrong, "{page}");
        assert_eq!(right, page, "{page}");
    }
}

#[test]
fn an_encoded_guess_is_no_better() {
    for encoder in Encoder::ALL {
        let Some((coded, _)) = encoder.encode(&(SECRET.as_bytes().to_vec(), 0..SECRET.len())) else { continue };
        let Ok(coded) = String::from_utf8(coded) else { continue };
        // Repeated as it was sent, and by a site that decodes it first.
        assert_eq!(answer(SECRET, &[&coded], &format!("<{coded}>")), format!("<{coded}>"), "{encoder:?}");
        for again in Encoder::ALL {
            let Some((echo, _)) = again.encode(&(coded.clone().into_bytes(), 0..coded.len())) else { continue };
            let Ok(echo) = String::from_utf8(echo) else { continue };
            let echo = format!("[{echo}]");
            assert_eq!(answer(SECRET, &[&coded], &echo), echo, "{encoder:?} in {again:?}");
        }
    }
}

#[test]
fn a_list_of_guesses_explains_the_list_and_not_what_is_in_it() {
    let list = format!("Winter1-horse {SECRET} Summer3-horse");
    assert_eq!(answer(SECRET, &[&list], &format!("no results for {list}")), format!("no results for {list}"));
    // The site repeats the secret itself: however many guesses there are, it stays hidden.
    let page = format!("<input name=password value='{SECRET}'> {list}");
    assert_eq!(answer(SECRET, &[&list], &page), format!("<input name=password value='***'> {list}"));
    assert_eq!(answer(SECRET, &["Hunter2"], SECRET), "***");
    assert_eq!(answer(SECRET, &[&SECRET[..12], &SECRET[1..]], SECRET), "***");
}

#[test]
fn names_that_a_form_is_sent_by_are_no_trace_of_a_password_that_is_one() {
    let form =
        "<form id=password><label>Password</label><input type=password name=password class='password x' value=''>";
    let scrubbed = |own: &[&[u8]]| {
        let page = body(&scrub_beside(&[b"password"], own).unwrap(), Some(Format::Html), form.as_bytes());
        find(&page.document.unwrap(), "form", "html").unwrap()
    };
    let whole = "<form id=\"password\"><label>Password</label><input type=\"password\" name=\"password\" class=\"password x\" value=\"\"></form>";
    assert_eq!(scrubbed(&[b"password"]), whole);
    assert_eq!(scrubbed(&[]), whole.replace("Password", "***"));
}
