use super::*;

/// `action method charset` and the fields, on one line each.
#[track_caller]
fn submits(source: &str, at: &str, expected: &str) {
    let form = html(source).form(at, &mut Unmetered).unwrap();
    let shown = form.map_or("-".to_owned(), |form| {
        let fields: Vec<String> = form.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {} {}", form.method, form.action, fields.join("&"))
    });
    assert_eq!(shown, expected);
}

#[test]
fn the_successful_controls_are_a_browsers() {
    for (controls, fields) in [
        ("<input name=a value=1><input name=b>", "a=1&b="),
        ("<input value=1><input name='' value=1>", ""),
        ("<input type=hidden name=csrf value=' t '><input type=password name=p value=secret>", "csrf= t &p="),
        ("<input name=a value=1 disabled><textarea name=b disabled>x</textarea>", ""),
        (
            "<input type=checkbox name=a><input type=checkbox name=b checked><input type=CHECKBOX name=c value=2 checked>",
            "b=on&c=2",
        ),
        ("<input type=radio name=r value=1 checked><input name=x><input type=radio name=r value=2 checked>", "x=&r=2"),
        (
            "<input type=submit name=s value=1><input type=image name=i><button name=b value=1>x</button><input type=reset name=r>",
            "",
        ),
        ("<textarea name=t>\n a\nb </textarea>", "t= a\nb "),
        ("<select name=s><option disabled>0<option> 1  x <option value=2>two</select>", "s=1 x"),
        ("<select name=s><option value=1 selected>x<option value=2 selected>y</select>", "s=2"),
        (
            "<select name=s multiple><option selected>1<option>2<option selected>3<option selected disabled>4</select>",
            "s=1&s=3",
        ),
        (
            "<select name=s multiple><option>1</select><select name=u size=3><option>1</select><select name=v></select>",
            "",
        ),
        ("<select name=s><optgroup disabled><option selected>1</optgroup><option>2</select>", ""),
        (
            "<fieldset disabled><legend><input name=a></legend><legend><input name=b></legend><input name=c></fieldset>",
            "a=",
        ),
        ("<datalist><input name=a></datalist><template><input name=b></template>", ""),
        ("<input type=hidden name=_charset_><input name=_charset_ value=x>", "_charset_=UTF-8&_charset_=x"),
        ("<input type=email name=e value=' a@b '><input name=n value='1\n2'>", "e=a@b&n=12"),
        ("<input type=file name=f>", "f="),
        ("<input name=other form=nowhere><input name=mine form=f>", "mine="),
    ] {
        submits(
            &format!("<form id=f action=/go method=POST>{controls}</form>"),
            "form",
            &format!("post https://bank.example/go {fields}"),
        );
    }
}

#[test]
fn a_form_goes_where_the_page_says() {
    submits("<form></form>", "form", &format!("get {PAGE} "));
    submits("<form action=''></form>", "form", &format!("get {PAGE} "));
    submits("<form action='?x=1' method=put></form>", "form", "get https://bank.example/accounts/list?x=1 ");
    submits("<base href=https://sso.example/a/b><form action='../c'></form>", "form", "get https://sso.example/c ");
    submits("<base href='javascript:x'><form action='c'></form>", "form", "get https://bank.example/accounts/c ");
    submits("<p>no form", "form", "-");
    submits(
        "<form action=/a><input name=x></form><form action=/b><input id=y name=y></form>",
        "#y",
        "get https://bank.example/b y=",
    );
    submits("<p id=p>x", "#p", "-");
}

#[test]
fn controls_outside_their_form_are_found() {
    // An old page's table keeps the form out of the way of its rows; the parser still ties them together.
    submits(
        "<table><form action=/t><tr><td><input name=a value=1></td></tr><tr><td><input name=b></td></tr></form></table><input name=c>",
        "form",
        "get https://bank.example/t a=1&b=",
    );
    submits(
        "<input name=a form=f><form id=f action=/t></form><input name=b form=f>",
        "form",
        "get https://bank.example/t a=&b=",
    );
    submits("<form action=/t><input name=a></form><input name=b>", "input", "get https://bank.example/t a=");
}

#[test]
fn the_charset_of_a_form_is_the_pages_or_its_own() {
    let charset = |page: &[u8]| {
        let document = Document::parse(Format::Html, page, None, None, &Limits::default(), &mut Unmetered).unwrap();
        let form = document.form("form", &mut Unmetered).unwrap().unwrap();
        (form.charset, form.encoding)
    };
    assert_eq!(charset(b"<form>"), ("windows-1252".into(), "application/x-www-form-urlencoded".into()));
    assert_eq!(
        charset(b"<form accept-charset='x-none iso-8859-15 utf-8' enctype=Multipart/form-data>").0,
        "ISO-8859-15"
    );
    assert_eq!(
        charset(b"<form accept-charset='utf-16' enctype=Multipart/form-data>"),
        ("UTF-8".into(), "multipart/form-data".into())
    );
}
