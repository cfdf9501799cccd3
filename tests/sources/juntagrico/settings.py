"""Settings of the juntagrico instance: a small cooperative on loopback, nothing sent by mail, nothing kept.

Static files come straight from the packages, so that a person who opens the pages in a browser sees them as they are.
"""

import os

DEBUG = False
# Guards sessions of invented people for as long as one test lasts.
SECRET_KEY = "loopback only"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    # The add-on stands first because it overrides templates of the application.
    "juntagrico_billing",
    "juntagrico",
    "adminsortable2",
    "crispy_bootstrap4",
    "crispy_forms",
    "django_select2",
    "djrichtextfield",
    "impersonate",
    "import_export",
    "polymorphic",
]

MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "impersonate.middleware.ImpersonateMiddleware",
]

_CONTEXT = [f"django.template.context_processors.{name}" for name in ("debug", "i18n", "media", "request", "static", "tz")]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                *_CONTEXT,
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "juntagrico.context_processors.vocabulary",
            ]
        },
    }
]

AUTHENTICATION_BACKENDS = ["juntagrico.util.auth.AuthenticateWithEmail"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SOURCE_DATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
LOGIN_REDIRECT_URL = "/"
ROOT_URLCONF = "urls"
SITE_ID = 1
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

LANGUAGE_CODE = "fr"
TIME_ZONE = "Europe/Paris"
USE_TZ = True

CRISPY_ALLOWED_TEMPLATE_PACKS = ["bootstrap4"]
CRISPY_TEMPLATE_PACK = "bootstrap4"
DJRICHTEXTFIELD_CONFIG = {"js": [], "init_template": "djrichtextfield/init/tinymce.js", "settings": {}}
IMPERSONATE = {"REDIRECT_URL": "/my/profile"}

BILLS_USERMENU = True
ORGANISATION_NAME = "Les Jardins du Confluent"
ORGANISATION_ADDRESS = {
    "name": "Les Jardins du Confluent",
    "street": "Chemin des Peupliers",
    "number": "7",
    "zip": "1204",
    "city": "Genève",
    "extra": "",
}
ORGANISATION_WEBSITE = {"name": "confluent.example", "url": "https://confluent.example"}
CONTACTS = {"general": "bonjour@confluent.example"}
# A QR-bill is only drawn for a Swiss account; this one is the QR-IBAN of the published samples.
ORGANISATION_BANK_CONNECTION = {"IBAN": "CH4431999123000889012", "BIC": "", "NAME": "Banque de démonstration", "ESR": ""}
