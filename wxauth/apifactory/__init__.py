"""
The drop-in for clients written against API工厂 (the npm package ``apifm-wxapi``).

Their wire rules over the services of this package. The package and the vendor's
``instructions.md`` that comes with it are the sources.
"""
