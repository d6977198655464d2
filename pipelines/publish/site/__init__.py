"""The site of a release: static pages in every language of `texts/`, Spanish first, that open from a disk or a server alike."""

from pipelines.publish.site.build import write

__all__ = ["write"]
