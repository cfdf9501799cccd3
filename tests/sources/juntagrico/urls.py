"""The member's pages. The administration is left out: no connector goes there."""

from django.urls import include, path

urlpatterns = [
    path("impersonate/", include("impersonate.urls")),
    path("", include("juntagrico.urls")),
    path("", include("juntagrico_billing.urls")),
]
