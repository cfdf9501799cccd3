//! Sites whose own script makes of a password what is sent: a salted answer to a challenge, and SRP (RFC 5054), where the server never has
//! the password. No recipe does that; in a browser the password is typed, and the page's script does the rest.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::pbkdf2;
use consentry_tests::collecting::collector;
use consentry_tests::echoing::{Answer, EchoSite, Sent};
use rsa::BigUint;

use super::pages::{HONEST, end, html, steps};

const PASSWORD: &str = "Correct-Horse-7!";
const SALT: &str = "beb25379d1a8581eb5a727673a2441ee";
const NONCE: &str = "a nonce of this login";
/// The group of 1,024 bits (RFC 5054, appendix A).
const PRIME: &str = "eeaf0ab9adb38dd69c33f80afa8fc5e86072618775ff3c0b9ea2314c9c256576d674df7496ea81d3383b4813d692c6e0e0d5d8e250b98be48e495c1d6089dad15dc7d7b46154d6b6ce8ef4ad69b15d4982559b297bcf1885c529f566660e57ec68edbc3c05726cc02fd4cbf4976eaa9afd5138fe8376435b9fc61d2fc0eb06e3";
/// What the server draws; the same each time, for it keeps nothing between two questions here.
const SERVERS: &str = "e487cb59d31ac550471e81f00f6928e01dda08e974a004f49e61f5d105284d20";

/// What both scripts begin with.
const COMMON: &str = "<form><input id=password type=password><button id=go type=button>ok</button></form><script>
const hex = bytes => [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, '0')).join('');
const bytes = text => Uint8Array.from(text.match(/../g), pair => parseInt(pair, 16));
const utf8 = text => new TextEncoder().encode(text);
const asks = async path => (await fetch(path)).json();
const ends = accepted => { document.body.innerHTML = `<p class='done ${accepted ? 'in' : 'out'}'>.`; };
document.querySelector('#go').addEventListener('click', () => logsIn(document.querySelector('#password').value));
</script>";
const CHALLENGE: &str = "<script>
async function logsIn(password) {
    const { salt, nonce } = await asks('/challenge/salt');
    const key = await crypto.subtle.importKey('raw', utf8(password), 'PBKDF2', false, ['deriveBits']);
    const derived = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: bytes(salt), iterations: 1000 }, key, 256);
    const proof = await crypto.subtle.digest('SHA-256', utf8(nonce + hex(derived)));
    ends((await asks('/challenge/proof?' + hex(proof))).accepted);
}
</script>";
const SRP: &str = "<script>
const wide = number => number.toString(16).padStart(256, '0');
const hash = async text => hex(await crypto.subtle.digest('SHA-256', bytes(text)));
const number = text => BigInt('0x' + text);
const power = (base, exponent, modulus) => {
    let result = 1n;
    for (base %= modulus; exponent; exponent >>= 1n, base = base * base % modulus) if (exponent & 1n) result = result * base % modulus;
    return result;
};
async function logsIn(password) {
    const { prime, salt } = await asks('/srp/salt');
    const N = number(prime), g = 2n, a = number(hex(crypto.getRandomValues(new Uint8Array(32)))), A = power(g, a, N);
    const { theirs } = await asks('/srp/theirs');
    const B = number(theirs), k = number(await hash(wide(N) + wide(g))), u = number(await hash(wide(A) + wide(B)));
    const x = number(await hash(salt + await hash(hex(utf8('marie:' + password)))));
    const shared = power((B + N * k - k * power(g, x, N) % N) % N, a + u * x, N);
    const key = await hash(wide(shared)), mine = await hash(wide(A) + wide(B) + key);
    const { accepted, proof } = await asks(`/srp/proof?${wide(A)}.${mine}`);
    // The server has to know the password, too.
    ends(accepted && proof === await hash(wide(A) + mine + key));
}
</script>";
/// Asks for a passkey, which no connector has.
const PASSKEY: &str = "<button id=go>.</button><script>
document.querySelector('#go').addEventListener('click', () => navigator.credentials
    .get({ publicKey: { challenge: new Uint8Array(32), timeout: 1000, userVerification: 'discouraged' } })
    .then(() => 'in', error => error.name).then(came => { document.body.innerHTML = `<p class='done ${came}'>.`; }));
</script>";

fn json(text: String) -> Answer {
    Answer { body: ("application/json", text), ..Answer::default() }
}

fn sha256(text: &str) -> String {
    hex::encode(digest(&SHA256, &hex::decode(text).unwrap()))
}

fn number(text: &str) -> BigUint {
    BigUint::from_bytes_be(&hex::decode(text).unwrap())
}

fn wide(number: &BigUint) -> String {
    format!("{number:0>256x}")
}

/// What the server keeps of the password, and what it sends.
fn server() -> [BigUint; 3] {
    let (prime, two) = (number(PRIME), BigUint::from(2_u8));
    let x = number(&sha256(&(SALT.to_owned() + &sha256(&hex::encode(format!("marie:{PASSWORD}"))))));
    let k = number(&sha256(&(wide(&prime) + &wide(&two))));
    let verifier = two.modpow(&x, &prime);
    let theirs = (k * &verifier + two.modpow(&number(SERVERS), &prime)) % &prime;
    [prime, verifier, theirs]
}

fn proves(query: &str) -> Answer {
    let ([prime, verifier, theirs], (client, proof)) = (server(), query.split_once('.').unwrap());
    let u = number(&sha256(&(client.to_owned() + &wide(&theirs))));
    let shared = (number(client) * verifier.modpow(&u, &prime)).modpow(&number(SERVERS), &prime);
    let key = sha256(&wide(&shared));
    let accepted = sha256(&(client.to_owned() + &wide(&theirs) + &key)) == proof;
    let back = sha256(&(client.to_owned() + proof + &key));
    json(format!(r#"{{"accepted":{accepted},"proof":"{back}"}}"#))
}

fn answers(sent: &Sent) -> Answer {
    match sent.path.as_str() {
        "/challenge" => html(&(COMMON.to_owned() + CHALLENGE)),
        "/challenge/salt" => json(format!(r#"{{"salt":"{SALT}","nonce":"{NONCE}"}}"#)),
        "/challenge/proof" => {
            let (mut derived, rounds) = ([0; 32], 1000.try_into().unwrap());
            let salt = hex::decode(SALT).unwrap();
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, PASSWORD.as_bytes(), &mut derived);
            let expected = hex::encode(digest(&SHA256, (NONCE.to_owned() + &hex::encode(derived)).as_bytes()));
            json(format!(r#"{{"accepted":{}}}"#, sent.query == expected))
        }
        "/srp" => html(&(COMMON.to_owned() + SRP)),
        "/srp/salt" => json(format!(r#"{{"prime":"{PRIME}","salt":"{SALT}"}}"#)),
        "/srp/theirs" => json(format!(r#"{{"theirs":"{}"}}"#, wide(&server()[2]))),
        "/srp/proof" => proves(&sent.query),
        "/passkey" => html(PASSKEY),
        _ => html("<p>nothing here"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_whose_own_script_proves_the_password_is_logged_in_at_through_a_page() {
    let (site, collector) = (EchoSite::start(answers).await.unwrap(), collector().unwrap());
    for path in ["/challenge", "/srp"] {
        for (password, accepted) in [(PASSWORD, true), ("Correct-Horse-8!", false)] {
            let logs_in = steps(&site.url, &format!("go {path}; secret #password; click #go; sees .done; asks .in"));
            let logs_in = logs_in.page("own", &format!("{{base}}{path}"), "#password");
            let (told, said) =
                logs_in.sink("page = \"own\"", "field:#password").password(password).run(&collector).await;
            assert_eq!(told, HONEST, "{path}: {said}");
            assert!(said.contains("sees .done true"), "{path}: {said}");
            assert!(said.contains(&format!("asks {accepted}")), "{path} with {password}: {said}");
            assert!(!said.contains("Correct-Horse"), "{said}");
        }
    }
    // What was typed has not left the page.
    let heard = site.heard();
    assert!(heard.iter().filter(|request| request.contains("/proof?")).count() == 4, "{heard:?}");
    assert!(!heard.iter().any(|request| request.contains("Correct")), "{heard:?}");
    end(&collector).await;
}

/// There is no authenticator in this browser, and the page is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_asks_for_a_passkey_is_refused_one() {
    let (site, collector) = (EchoSite::start(answers).await.unwrap(), collector().unwrap());
    let by_name = site.url.replace("127.0.0.1", "localhost");
    let aim = "go /passkey; click #go; sees .done; asks .NotSupportedError";
    let (told, said) = steps(&by_name, aim).run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains("sees .done true") && said.contains("asks true"), "{said}");
    end(&collector).await;
}
