//! The closed lists of words in a manifest.

use crate::words::words;

words! {
    /// An interface of the contract which a connector has only if it asks for it. The others are always there.
    Capability {
        /// Requests to the declared origins.
        Http = "http",
        /// A page in a browser.
        Browser = "browser",
        /// Questions to the person.
        Prompt = "prompt",
        /// Something kept between runs of a connection.
        SessionState = "session-state",
    }
    /// What a Data Source is.
    SourceKind {
        /// Accounts and payments.
        Bank = "bank",
        /// Telephone, internet.
        Telecom = "telecom",
        /// Electricity, gas, water.
        Energy = "energy",
        /// A tax office.
        Tax = "tax",
        /// One that says who somebody is.
        Identity = "identity",
        /// A club or cooperative.
        Association = "association",
        /// An insurance company.
        Insurance = "insurance",
        /// Anything else.
        Other = "other",
    }
    /// How a login field is treated.
    FieldKind {
        /// A handle; scrubbed from the answers to requests that carried it.
        Secret = "secret",
        /// A handle; not scrubbed, since it is often itself Shareable Data.
        Identifier = "identifier",
        /// In clear for the connector: a branch, a region.
        Public = "public",
    }
    /// How a part of an answer is treated.
    AnswerKind {
        /// A handle.
        Secret = "secret",
        /// In clear for the connector: a choice.
        Public = "public",
    }
    /// What is asked of the person.
    PromptKind {
        /// A one-time password.
        Otp = "otp",
        /// A tap in an app.
        Approve = "approve",
        /// One of several.
        Choose = "choose",
        /// What stands in an image.
        Captcha = "captcha",
        /// To go somewhere and come back.
        Redirect = "redirect",
        /// Any text.
        Text = "text",
    }
    /// Methods of HTTP that a manifest may name.
    Method {
        /// GET.
        Get = "GET",
        /// POST.
        Post = "POST",
        /// PUT.
        Put = "PUT",
        /// PATCH.
        Patch = "PATCH",
        /// DELETE.
        Delete = "DELETE",
    }
}
