//! The few scripts that the host runs on a page, each fixed: whatever a connector says goes in as an argument. They run in a world of their
//! own, where the page's scripts can't change what they use nor see their arguments, and answer with what the document is like, never with what
//! was typed into it.

/// The first element that matches and is seen, else the first.
pub(super) const FIND: &str = "function(selector) {
    const all = [...document.querySelectorAll(selector)];
    return all.find(each => each.checkVisibility({ visibilityProperty: true })) ?? all[0] ?? null;
}";

/// Whether anything that matches is seen.
pub(super) const IS_SEEN: &str = "function(selector) {
    return [...document.querySelectorAll(selector)].some(each => each.checkVisibility({ visibilityProperty: true }));
}";

/// A word that is another whenever the document has changed.
pub(super) const CHANGES: &str = "function() {
    if (globalThis.watched !== document) {
        globalThis.watched = document;
        globalThis.changes = (globalThis.changes ?? 0) + 1;
        const all = { subtree: true, childList: true, attributes: true, characterData: true };
        new MutationObserver(() => { globalThis.changes += 1; }).observe(document, all);
    }
    // A document that came since the last look may have as many changes as the one before it; when it began is its own.
    return performance.timeOrigin + document.readyState + globalThis.changes;
}";

/// Says where an element is, and whether it is what would be hit there; scrolls it into sight before that, if it should.
pub(super) const PLACE: &str = "function(scroll) {
    if (scroll) this.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const box = this.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const hit = document.elementFromPoint(x, y);
    const seen = this.checkVisibility({ visibilityProperty: true }) && box.width > 0 && box.height > 0;
    const own = hit !== null && (this.contains(hit) || hit.closest('label')?.control === this);
    const fault = !seen ? 'hidden' : this.matches(':disabled') ? 'disabled' : own ? '' : 'covered';
    return { x, y, left: box.left, top: box.top, width: box.width, height: box.height, fault };
}";

/// Whether the pointer is on an element.
pub(super) const IS_POINTED_AT: &str = "function() { return this.matches(':hover'); }";

/// Where the content of a frame begins, as seen from the document around it, and whether the frame is what would be hit at a point inside.
pub(super) const INSIDE: &str = "function(x, y) {
    const box = this.getBoundingClientRect();
    const style = getComputedStyle(this);
    const left = box.left + this.clientLeft + (parseFloat(style.paddingLeft) || 0);
    const top = box.top + this.clientTop + (parseFloat(style.paddingTop) || 0);
    const fault = document.elementFromPoint(left + x, top + y) === this ? '' : 'covered';
    return { x: left, y: top, fault };
}";

/// Makes a field the one that is typed into, and types, unless there is nothing to type yet: all in one go, so that no other script runs between
/// the look at what has the focus and the typing, but for listeners of the page's own to the focus, which the look comes after. What is typed is an
/// argument, which the page's scripts see when it is in the field. Days and the like are set. Where a secret goes, the document has to be the one
/// that was recognised; its field is remembered, and has no value in what is read of the page from then on.
pub(super) const FILL: &str = "function(text, secret, seen) {
    if (seen !== null && (self.origin !== seen.origin || String(performance.timeOrigin) !== seen.began)) return 'moved';
    const area = this instanceof HTMLTextAreaElement;
    if (!area && !(this instanceof HTMLInputElement)) return 'no field';
    const typed = area || ['text', 'search', 'url', 'tel', 'email', 'password', 'number'].includes(this.type);
    const set = ['date', 'time', 'month', 'week', 'datetime-local', 'color', 'range'].includes(this.type);
    if (!typed && !set) return 'no field';
    if (!this.checkVisibility({ visibilityProperty: true })) return 'hidden';
    if (this.disabled || this.readOnly) return 'disabled';
    this.scrollIntoView({ block: 'center', behavior: 'instant' });
    this.focus();
    this.select();
    if (document.activeElement !== this) return 'covered';
    // What is typed replaces what is marked, wherever that is.
    const marked = getSelection();
    if (typed && marked.anchorNode?.childNodes[marked.anchorOffset] !== this) return 'covered';
    if (text === null) return '';
    if (secret) (globalThis.secrets ??= new WeakSet()).add(this);
    // Other documents than HTML know no typing by script.
    if (typed && document.contentType === 'text/html') {
        document.execCommand(text === '' ? 'delete' : 'insertText', false, text);
        return '';
    }
    this.value = text;
    this.dispatchEvent(new Event('input', { bubbles: true }));
    this.dispatchEvent(new Event('change', { bubbles: true }));
    return '';
}";

/// Chooses options of a select element by value.
pub(super) const SELECT: &str = "function(values) {
    if (!(this instanceof HTMLSelectElement)) return 'no field';
    if (this.disabled) return 'disabled';
    const options = [...this.options];
    if (values.some(value => options.every(option => option.value !== value))) return 'without such an option';
    for (const option of options) {
        const chosen = values.includes(option.value);
        if (this.multiple || chosen) option.selected = chosen;
    }
    this.dispatchEvent(new Event('input', { bubbles: true }));
    this.dispatchEvent(new Event('change', { bubbles: true }));
    return '';
}";

/// Whether an element is of the document that was recognised, and stands in one that matches.
pub(super) const IS_WITHIN: &str = "function(selectors, seen) {
    if (self.origin !== seen.origin || String(performance.timeOrigin) !== seen.began) return 'moved';
    return selectors.some(selector => this.closest(selector) !== null) ? '' : 'outside';
}";

/// Listens for the next press that the document hears, if it is still the one that was recognised.
pub(super) const LISTEN: &str = "function(seen) {
    if (self.origin !== seen.origin || String(performance.timeOrigin) !== seen.began) return 'moved';
    globalThis.heard = new Promise(tell => {
        globalThis.silence = () => tell(false);
        const own = each => each === this || (each instanceof HTMLLabelElement && each.control === this);
        const hears = press => tell(press.isTrusted && press.composedPath().some(own));
        addEventListener('pointerdown', hears, { capture: true, once: true });
    });
    return '';
}";

/// Whether that press was one of the element's; known as soon as it is heard, or nothing more can be.
pub(super) const IS_HEARD: &str = "function() { return globalThis.heard; }";
pub(super) const SILENCE: &str = "function() { globalThis.silence(); }";

/// The document as markup. It is copied into one that runs and loads nothing, and in the copy fields show what is in them now; once a secret
/// was typed only what the markup says, and fields for passwords and of secrets nothing at all.
pub(super) const MARKUP: &str = "function(typed, most) {
    const [root, began] = [document.documentElement, String(performance.timeOrigin)];
    if (root === null) return { url: document.URL, html: '', kind: 'text/html', large: false, began };
    if (document.contentType !== 'text/html') {
        const text = new XMLSerializer().serializeToString(document);
        const large = text.length > most;
        return { url: document.URL, html: large ? '' : text, kind: document.contentType, large, began };
    }
    const copy = document.implementation.createHTMLDocument('').importNode(root, true);
    const fields = 'input, textarea, option';
    const copies = copy.querySelectorAll(fields);
    root.querySelectorAll(fields).forEach((field, at) => {
        const shown = copies[at];
        if (field.type === 'password' || globalThis.secrets?.has(field)) {
            shown.removeAttribute('value');
            if (field instanceof HTMLTextAreaElement) shown.textContent = '';
        } else if (typed || field.type === 'file') {
            return;
        } else if (field instanceof HTMLTextAreaElement) {
            shown.textContent = field.value;
        } else if (field instanceof HTMLOptionElement) {
            shown.toggleAttribute('selected', field.selected);
        } else if (field.type === 'checkbox' || field.type === 'radio') {
            shown.toggleAttribute('checked', field.checked);
        } else if (field.value !== '' || shown.hasAttribute('value')) {
            shown.setAttribute('value', field.value);
        }
    });
    const html = '<!DOCTYPE html>' + copy.outerHTML;
    const large = html.length > most;
    return { url: document.URL, html: large ? '' : html, kind: 'text/html', large, began };
}";
